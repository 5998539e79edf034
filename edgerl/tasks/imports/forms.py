"""Which kind of file a foreign policy is in, and its reader."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from edgerl.envs.policy import Activation
from edgerl.tasks.imports import networks, npz, reading, safetensors, stable_baselines3, tflite, torch_zip
from edgerl.tasks.imports.networks import Layer
from edgerl.tasks.imports.policies import Spaces
from edgerl.util.errors import UserError

_KNOWN = (
    "a zip of Stable-Baselines3, a state dictionary of torch.save, .safetensors or .npz, or an int8 .tflite perceptron"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """What a file has.

    Attributes:
      data: all its bytes.
      form: what kind of file it is, in words.
      layers: from observation to outputs.
      activation: between them; None where the file does not say.
      remarks: lines for the user.
    """

    data: bytes
    form: str
    layers: Sequence[Layer]
    activation: Activation | None = None
    remarks: Sequence[str] = ()


def read(path: Path, spaces: Spaces, normalised: bool, prefix: str) -> Found:
    """A file's network.

    Args:
      spaces: of the environment that it is imported for.
      normalised: whether the statistics of a normaliser were given.
      prefix: of the tensors' names that count, in a state dictionary.
    Raises:
      UserError: the file is of no kind that is read, damaged, too large, or has no such network.
    """
    data = reading.contents(path)
    names = reading.Archive(data, str(path)).names if data.startswith(b"PK") else frozenset()
    told = stable_baselines3.is_stable_baselines3(names) or tflite.is_tflite(data)
    if told and prefix:
        raise UserError(f"{path}: --prefix is for state dictionaries; here the tensors' names are known")
    if stable_baselines3.is_stable_baselines3(names):
        layers, activation, form = stable_baselines3.read(data, spaces, str(path), normalised)
        return Found(data, form, layers, activation)
    if tflite.is_tflite(data):
        layers, between = tflite.read(data, str(path))
        return Found(data, "int8 .tflite", layers, between, [tflite.REMARK])
    if torch_zip.is_torch(names):
        form, tensors = "PyTorch state dictionary", torch_zip.read(data, str(path))
    elif names >= {"kernel_0.npy", "activation.npy"}:
        raise UserError(f"{path} is a policy of EdgeRL itself: edgerl.load_policy reads it")
    elif npz.is_npz(names):
        form, tensors = ".npz", npz.read(path)
    elif safetensors.is_safetensors(data):
        form, tensors = "safetensors", safetensors.read(data, str(path))
    else:
        pickled = " (a pickle is never loaded)" if data[:1] == b"\x80" else ""
        raise UserError(f"{path} is no file of a policy that is read{pickled}: expected {_KNOWN}")
    layers, others = networks.layers(tensors, spaces.features, spaces.outputs, prefix, str(path))
    return Found(data, form, layers, None, [f"left out, of another network: {', '.join(others)}"] if others else [])
