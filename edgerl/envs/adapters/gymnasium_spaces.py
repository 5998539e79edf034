"""Spaces and actions for `to_gymnasium`. Importing this file imports Gymnasium."""

from typing import Any

import numpy as np
from gymnasium import spaces

from edgerl.envs.spaces import Box, Discrete, Space
from edgerl.util.errors import UserError


def converted(space: Space, what: str) -> spaces.Space:
    """Gymnasium's space.

    Raises:
      UserError: neither `Discrete` nor `Box`.
    """
    if isinstance(space, Discrete):
        return spaces.Discrete(space.n)
    if isinstance(space, Box):
        return spaces.Box(*space.bounds(), space.shape, np.float32)
    raise UserError(f"to_gymnasium: {type(space).__name__} {what} cannot be converted, only Discrete and Box")


def checked(action: Any, space: spaces.Space) -> np.ndarray:
    """The action as an array of the type that the environment takes, int32 or float32.

    As Gymnasium's own environments do: numbers beyond a `Box` reach the environment, those outside of a `Discrete` do
    not. Real numbers may have any type, in arrays of NumPy or JAX or in lists; the shape is the space's.

    Raises:
      UserError: another shape, a number that is no integer where one is needed, or NaN.
    """
    try:
        given = np.asarray(action)
    except ValueError:  # a list of lists of different lengths
        given = np.asarray(None)
    right = f"the action {action!r} is not in {space}"
    if isinstance(space, spaces.Box):
        if given.dtype.kind not in "fiub" or given.shape != space.shape:
            raise UserError(f"step: {right}: it is {given.dtype}{list(given.shape)}, not float32{list(space.shape)}")
        if np.isnan(given).any():
            raise UserError(f"step: {right}: it is not a number (NaN)")
        return given.astype(np.float32)
    counts = space.nvec if isinstance(space, spaces.MultiDiscrete) else np.asarray(space.n)  # type: ignore[attr-defined]
    if given.dtype.kind not in "iub" or given.shape != counts.shape or ((given < 0) | (given >= counts)).any():
        raise UserError(f"step: {right}")
    return given.astype(np.int32)
