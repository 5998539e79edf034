"""Our quantiser against TensorFlow's converter, on the policy of a run: agreement with the float policy, and returns.

    python -m benchmarks.converter RUN [RUN …]

Both calibrate on the same inputs. Returns are means over the same episodes. Prints JSON, a line a run.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import edgerl
from edgerl.deploy import calibration, converter, exporting, fidelity, perceptron, tflite_file
from edgerl.deploy.int8_policy import Deployed


def compare(run: edgerl.Run, episodes: int = 10_000) -> dict[str, Any]:
    """Figures of the float policy and of both int8 policies of a run."""
    observations = np.asarray(run.task.calibration(run), np.float32)
    quantiser = calibration.fit_quantiser(observations)
    inputs = calibration.representative_inputs(quantiser, observations, exporting.CALIBRATION_ROWS)
    start = time.perf_counter()
    ours = Deployed(perceptron.quantised(run.policy, quantiser, inputs), quantiser)
    between = time.perf_counter()
    model = converter.convert(calibration.fold(run.policy, quantiser), inputs.astype(np.float32) / 128)
    theirs = Deployed(tflite_file.read(model), quantiser)
    found: dict[str, Any] = {
        "run": run.folder.name,
        "seconds": {"ours": between - start, "TensorFlow": time.perf_counter() - between},
        "difference": fidelity.difference(theirs.graph, ours.graph),
    }
    for name, player in (("float", run.policy), ("ours", ours.policy), ("TensorFlow", theirs.policy)):
        stats = edgerl.simulate(run.env, player, jax.random.key(0), num_envs=episodes, num_steps=1000)
        found[name] = {"return": stats.returns.mean, "episodes": stats.episodes}
        if name != "float":
            found[name]["agreement"] = fidelity.agreement(run.policy, player, observations)["agreement"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    for folder in parser.parse_args().runs:
        print(json.dumps(compare(edgerl.open_run(folder))), flush=True)


if __name__ == "__main__":
    main()
