"""TFLM's interpreter, the oracle of what a microcontroller computes, in a process of its own.

TFLM parses flatbuffers in native code and aborts on some that are malformed; its arena figure goes to standard error.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from edgerl.deploy.toolchain import patience
from edgerl.util import files
from edgerl.util.errors import UserError

_TIMEOUT_SECONDS = 600


class TFLMError(Exception):
    """The interpreter refused the model or died of it; the message is one line."""


def run(model: bytes, inputs: np.ndarray) -> tuple[np.ndarray, int]:
    """(int8 outputs [N, actions], arena in bytes) of a `.tflite` on int8 inputs [N, features].

    Raises:
      TFLMError: the interpreter refused the model or died.
      UserError: tflite-micro is not installed.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "model.tflite").write_bytes(model)
        files.write_npz(folder / "inputs.npz", {"inputs": inputs})
        seconds = max(_TIMEOUT_SECONDS, patience(len(inputs)))
        command = [sys.executable, "-m", "edgerl.deploy.tflm", temporary]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False, timeout=seconds
            )
        except subprocess.TimeoutExpired as error:
            raise TFLMError(f"TFLM took more than {seconds:.0f} s") from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            if "No module named 'tflite_micro'" in last:
                raise UserError("running TFLM needs tflite-micro: pip install 'edgerl[export]'")
            raise TFLMError(f"TFLM failed (exit {done.returncode}): {last}")
        arena = re.search(r"Arena allocation total (\d+) bytes", done.stderr)
        return files.read_npz(folder / "outputs.npz")["outputs"], int(arena.group(1)) if arena else 0


def _run_here(folder: Path) -> None:
    from tflite_micro import runtime

    model = (folder / "model.tflite").read_bytes()
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=max(65536, 10 * len(model)))
    outputs = []
    for row in files.read_npz(folder / "inputs.npz")["inputs"]:
        interpreter.set_input(row[None], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0)[0].copy())
    interpreter.print_allocations()
    files.write_npz(folder / "outputs.npz", {"outputs": np.asarray(outputs, np.int8)})


if __name__ == "__main__":
    _run_here(Path(sys.argv[1]))
