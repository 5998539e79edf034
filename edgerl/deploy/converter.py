"""TensorFlow's way from a float policy to an int8 `.tflite`, which our own quantiser is checked against.

The only file that imports TensorFlow, in a process of its own, so that its import, its log and its crashes stay out of
the caller.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from edgerl.envs import policy_file
from edgerl.envs.policy import MLPPolicy
from edgerl.util import files
from edgerl.util.errors import UserError

_TIMEOUT_SECONDS = 300


def convert(mlp: MLPPolicy, inputs: np.ndarray, per_channel: bool = False) -> bytes:
    """The full-int8 `.tflite` of a policy's network as TensorFlow's converter makes it, through jax2tf.

    Args:
      mlp: as a function of the network's input, see `calibration.fold`.
      inputs: float32 [N, features] that calibrate it.
      per_channel: one weight scale for each output instead of one for each layer.
    Raises:
      UserError: TensorFlow is missing or its converter failed; the message ends with the converter's last line.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        policy_file.save_policy(folder / "policy.npz", mlp)
        files.write_npz(folder / "inputs.npz", {"inputs": inputs, "per_channel": np.asarray(per_channel)})
        return _converted(folder)


def _converted(folder: Path) -> bytes:
    """What a fresh process makes of a folder's question."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "edgerl.deploy.converter", str(folder)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"the TFLite conversion took more than {_TIMEOUT_SECONDS} s") from error
    if done.returncode == 0:
        return (folder / "model.tflite").read_bytes()
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    if "No module named 'tensorflow'" in last:
        raise UserError("this check needs TensorFlow: pip install 'edgerl[tensorflow]'")
    raise UserError(f"the TFLite conversion failed (exit {done.returncode}): {last}")


def _convert_here(folder: Path) -> None:
    import tensorflow as tf
    from jax.experimental import jax2tf

    mlp = policy_file.load_perceptron(folder / "policy.npz")
    arrays = files.read_npz(folder / "inputs.npz")
    signature = tf.TensorSpec([1, mlp.sizes[0]], tf.float32)
    graph = tf.function(jax2tf.convert(mlp.logits, with_gradient=False), autograph=False, input_signature=[signature])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in arrays["inputs"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not bool(arrays["per_channel"])
    files.write_bytes(folder / "model.tflite", converter.convert())


if __name__ == "__main__":
    _convert_here(Path(sys.argv[1]))
