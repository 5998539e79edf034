"""What observations were scaled by before a network saw them: read, and folded into the network's first layer."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.tasks.imports import npz, pickles, reading, safetensors
from edgerl.tasks.imports.networks import Layer
from edgerl.tasks.imports.pickled_arrays import array, number
from edgerl.tasks.imports.pickles import Call, PickleError
from edgerl.util.errors import UserError

_VEC_NORMALIZE = "stable_baselines3.common.vec_env.vec_normalize.VecNormalize"
_RUNNING = "stable_baselines3.common.running_mean_std.RunningMeanStd"
_PACKAGES = ("stable_baselines3.", "gym.", "gymnasium.", "numpy.", "collections.")  # whose names such a pickle has
_EPSILON = 1e-8  # what VecNormalize adds to a variance


@dataclasses.dataclass(frozen=True, eq=False)
class Normaliser:
    """The network was trained on (observation - mean) / deviation, clipped.

    Attributes:
      mean, deviation: float64 [features].
      clip: where the scaled observation was clipped, on either side; infinite: nowhere.
    """

    mean: np.ndarray
    deviation: np.ndarray
    clip: float

    def folded(self, first: Layer) -> Layer:
        """The layer as it reads observations that are not scaled. They are not clipped either."""
        kernel = first.kernel / self.deviation[:, None]
        return dataclasses.replace(first, kernel=kernel, bias=first.bias - self.mean @ kernel)

    def reached(self, low: np.ndarray, high: np.ndarray) -> bool:
        """Whether observations within these bounds [features] could be clipped."""
        with np.errstate(over="ignore", invalid="ignore"):
            ends = np.stack([(np.asarray(bound, np.float64) - self.mean) / self.deviation for bound in (low, high)])
        return not bool((np.abs(ends) <= self.clip).all())


def read(path: Path, features: int) -> Normaliser | None:
    """What a `vecnormalize.pkl` of Stable-Baselines3 says, or the arrays `mean` and `var` of an `.npz` or safetensors.

    Returns:
      None if it says that observations were not scaled.
    Raises:
      UserError: neither, damaged, or of observations of another size.
    """
    data = reading.contents(path)
    if data.startswith(b"PK") and npz.is_npz(reading.Archive(data, str(path)).names):
        return _of_arrays(npz.read(path), features, str(path))
    if safetensors.is_safetensors(data):
        return _of_arrays(safetensors.read(data, str(path)), features, str(path))
    try:
        return _of_pickle(data, features, str(path))
    except PickleError as error:
        raise UserError(
            f"{path} is no normaliser: expected Stable-Baselines3's vecnormalize.pkl, or an .npz or .safetensors with "
            f"mean and var ({error})"
        ) from error


def _of_arrays(arrays: Mapping[str, np.ndarray], features: int, where: str) -> Normaliser:
    extra = sorted(arrays.keys() - {"mean", "var", "count"})
    if extra or not {"mean", "var"} <= arrays.keys():
        raise UserError(f"{where} has {', '.join(sorted(arrays)[:8]) or 'nothing'}; expected the arrays mean and var")
    return _checked(arrays["mean"], arrays["var"], _EPSILON, np.inf, features, where)


def _of_pickle(data: bytes, features: int, where: str) -> Normaliser | None:
    found = pickles.read(data, lambda name: name.startswith(_PACKAGES))
    state = _state(found, _VEC_NORMALIZE)
    if state.get("norm_obs") is False:
        return None
    if state.get("norm_obs") is not True or state.get("norm_obs_keys") is not None:
        raise UserError(f"{where} scales parts of a dictionary of observations, which is not supported")
    moments = _state(state.get("obs_rms"), _RUNNING)
    epsilon, clip = (number(state.get(key), key) for key in ("epsilon", "clip_obs"))
    if epsilon < 0 or clip <= 0:
        raise PickleError(f"epsilon is {epsilon} and clip_obs {clip}")
    mean, variance = (array(moments.get(key), key) for key in ("mean", "var"))
    return _checked(mean, variance, epsilon, clip, features, where)


def _state(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Call) or value.name != name or not isinstance(value.state, dict):
        raise PickleError(f"it has no {name.rpartition('.')[2]}")
    return value.state


def _checked(
    mean: np.ndarray, variance: np.ndarray, epsilon: float, clip: float, features: int, where: str
) -> Normaliser:
    shapes = [list(mean.shape), list(variance.shape)]
    if shapes != [[features]] * 2:
        raise UserError(f"{where} has a mean and a variance of shapes {shapes[0]} and {shapes[1]}, not [{features}]")
    if mean.dtype.kind not in "fiu" or variance.dtype.kind not in "fiu":
        raise UserError(f"{where}: mean and var hold {mean.dtype} and {variance.dtype}, expected numbers")
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = mean.astype(np.float64), np.sqrt(variance.astype(np.float64) + epsilon)
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation > 0).all()):
        raise UserError(f"{where}: mean and var must be finite, and var not below 0")
    return Normaliser(mean, deviation, clip)
