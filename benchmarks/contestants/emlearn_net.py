"""emlearn's C of a perceptron.

Of a folder it reads `network.npz`, writes `network.h` there, and prints where its own headers lie. emlearn 0.23 has
networks in floats only: the sums of its fixed-point layer are not written yet. Of its two forms the one with code for
each network, `inline`, ends in an error there (an activation's name is read as a number).
"""

import sys
from pathlib import Path

import emlearn
import numpy as np
from emlearn import net


def main(folder: Path) -> None:
    """Writes the form that works."""
    with np.load(folder / "network.npz") as file:
        count = len(file.files) // 2
        kernels, biases = ([file[f"{kind}_{i}"] for i in range(count)] for kind in ("kernel", "bias"))
        activations = [str(file["activation"])] * (count - 1) + ["identity"]
    (folder / "network.h").write_text(net.c_generate_net_loadable(activations, kernels, biases, prefix="net"))
    print(emlearn.includedir)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
