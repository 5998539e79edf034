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


def are_usual(params: Params, default: Params) -> bool:
    """Whether all numbers among the parameters are the default ones. These are compiled as constants, which is faster;
    all others share one program."""
    pairs = zip(jax.tree.leaves(params), jax.tree.leaves(default), strict=True)
    return all(np.ndim(x) == 0 and bool(x == d) for x, d in pairs if np.ndim(d) == 0)


def with_constants(leaves: list[Any], default: Params) -> list[Any]:
    """The leaves of parameters that `are_usual`, numbers as NumPy scalars of the precision in which JAX computes."""
    usual = zip(leaves, jax.tree.leaves(default), strict=True)
    return [x if np.ndim(d) else np.asarray(d, jax.dtypes.canonicalize_dtype(np.result_type(d)))[()] for x, d in usual]
