"""gymnax's spaces as this package's."""

from typing import Any

import numpy as np

from edgerl.envs.spaces import Box, Discrete, Space
from edgerl.util.errors import UserError


def action_space(space: Any) -> Space:
    """`Discrete` or a `Box` of real numbers.

    Raises:
      UserError: any other space; the message names what is supported.
    """
    converted = _converted(space, "actions")
    if isinstance(converted, Box) and not np.issubdtype(np.dtype(getattr(space, "dtype", np.float32)), np.floating):
        raise UserError(f"its actions are a Box of {np.dtype(space.dtype)}; only Discrete and float Box are supported")
    return converted


def observation_space(space: Any) -> Space:
    """A `Box`, since observations are float32.

    Raises:
      UserError: a space that is neither `Discrete` nor `Box`.
    """
    converted = _converted(space, "observations")
    return Box(0.0, converted.n - 1.0, ()) if isinstance(converted, Discrete) else converted


def _converted(space: Any, what: str) -> Space:
    kinds = [kind.__name__ for kind in type(space).__mro__]
    if "Discrete" in kinds:
        if getattr(space, "start", 0) != 0:
            raise UserError(f"its {what} are Discrete from {space.start} on; only Discrete from 0 on is supported")
        return Discrete(int(space.n))
    if "Box" in kinds:
        return Box(_bound(space.low), _bound(space.high), tuple(int(n) for n in np.atleast_1d(space.shape)))
    raise UserError(f"{kinds[0]} {what} are not supported, only Discrete and Box")


def _bound(bound: Any) -> Any:
    """A number, or nested tuples, which are hashable."""
    values = np.asarray(bound, np.float32)
    return float(values.flat[0]) if (values == values.flat[0]).all() else _tuples(values.tolist())


def _tuples(values: Any) -> Any:
    return tuple(map(_tuples, values)) if isinstance(values, list) else values
