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


def fixed_leaves(params: Params, default: Params) -> tuple[bool, ...]:
    """For each leaf of the parameters, whether it is a number equal to the default, which is compiled as a constant."""
    pairs = zip(jax.tree.leaves(params), jax.tree.leaves(default), strict=True)
    return tuple(np.ndim(x) == 0 and np.ndim(d) == 0 and bool(x == d) for x, d in pairs)


def constant(x: Any) -> Any:
    """A number as a NumPy scalar of the precision in which JAX would compute with it."""
    return np.asarray(x, jax.dtypes.canonicalize_dtype(np.result_type(x)))[()]
