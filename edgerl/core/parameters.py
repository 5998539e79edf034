"""What is known of an environment's parameters before a simulation is compiled."""

from typing import Any

import jax
import numpy as np

from edgerl.core.environment import Params
from edgerl.core.errors import UserError


def batched_leaves(params: Params, default: Params, num_envs: int) -> Any:
    """For each leaf of the parameters, whether it holds a value an environment."""

    trees: list[Any] = [jax.tree.structure(x) for x in (params, default)]
    if trees[0] != trees[1]:
        raise UserError(f"simulate: params is {trees[0]}; expected the form of the default, {trees[1]}")

    def check(leaf: Any, reference: Any) -> bool:
        shape, usual = np.shape(leaf), np.shape(reference)
        if shape == usual:
            return False
        if shape == (num_envs, *usual):
            return True
        raise UserError(f"simulate: a parameter has shape {shape}; expected {usual} or {(num_envs, *usual)}")

    return jax.tree.map(check, params, default)


Numbers = tuple[tuple[float, str] | None, ...]  # a number and its type for each leaf of parameters, None for an array


def usual_numbers(params: Params, default: Params) -> Numbers | None:
    """All numbers among the parameters if they are the default ones, else None.

    The default numbers are compiled as constants, which is faster; all others share one program. The numbers
    themselves, and not only that they are the default, since environments that are equal may have other defaults.
    """
    pairs = list(zip(jax.tree.leaves(params), jax.tree.leaves(default), strict=True))
    if not all(np.ndim(x) == 0 and bool(x == d) for x, d in pairs if np.ndim(d) == 0):
        return None
    return tuple(None if np.ndim(d) else _number(d) for _, d in pairs)


def _number(x: Any) -> tuple[float, str]:
    value = np.asarray(x, jax.dtypes.canonicalize_dtype(np.result_type(x)))  # as precise as JAX computes
    return value.item(), value.dtype.str


def with_constants(leaves: list[Any], numbers: Numbers) -> list[Any]:
    """The leaves of parameters, the numbers as NumPy scalars."""
    pairs = zip(leaves, numbers, strict=True)
    return [x if number is None else np.dtype(number[1]).type(number[0]) for x, number in pairs]
