"""Reading an operation's arrays from a file, so that no number in it is absurd."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def array(arrays: Mapping[str, Any], name: str, dtype: type, ndim: int) -> np.ndarray:
    """The array of that name; `ValueError` where it is missing, or of another type or rank."""
    if name not in arrays or arrays[name].dtype != dtype or arrays[name].ndim != ndim:
        raise ValueError(f"{name} is missing or not {np.dtype(dtype)} of rank {ndim}")
    return arrays[name]


def positive(numbers: np.ndarray) -> bool:
    """Whether all are finite and above 0."""
    return bool((np.isfinite(numbers) & (numbers > 0)).all())


def weights(arrays: Mapping[str, Any], ndim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights int8 [out, ...] of rank `ndim`, bias int32 [out], weight_scales float32 [1] or [out])."""
    made, bias = array(arrays, "weights", np.int8, ndim), array(arrays, "bias", np.int32, 1)
    scales = array(arrays, "weight_scales", np.float32, 1)
    if min(made.shape) < 1 or bias.shape != made.shape[:1] or len(scales) not in (1, len(bias)) or not positive(scales):
        raise ValueError("its weights, biases and scales do not fit each other")
    return made, bias, scales


def choice(names: tuple[T, ...], index: int) -> T:
    """The one of that number; `ValueError` where there is none."""
    if not 0 <= index < len(names):
        raise ValueError(f"a choice of {index} among {len(names)}")
    return names[index]
