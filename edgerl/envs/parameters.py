"""What is known of an environment's parameters before a simulation is compiled."""

from typing import Any

import jax
import numpy as np

from edgerl.envs.environment import Environment, Params
from edgerl.envs.spaces import Space
from edgerl.util.errors import UserError


def spaces_of(env: Environment, params: Params) -> tuple[Space, Space]:
    """(observation space, action space) under these parameters, which may be traced or forms.

    A space is no array, so that only what is static in the parameters can decide it inside a trace: in place of
    numbers that are not known there, the default ones are taken.
    """
    leaves, tree = jax.tree.flatten(params)
    if any(isinstance(x, (jax.core.Tracer, jax.ShapeDtypeStruct)) for x in leaves):
        usual = jax.tree.leaves(env.default_params)
        leaves = leaves if len(usual) != len(leaves) else usual
        params = jax.tree.unflatten(tree, leaves)
    with jax.ensure_compile_time_eval():  # bounds that are made with JAX would become part of the trace
        return env.observation_space(params), env.action_space(params)


def batched_leaves(params: Params, default: Params, num_envs: int) -> Any:
    """For each leaf of the parameters, whether it holds a value an environment.

    Static fields may be others than the default's; then arrays may have another shape, but not another rank.
    """
    _check_form(params, default)
    trees: list[Any] = [jax.tree.structure(x) for x in (params, default)]
    other_static = trees[0] != trees[1]

    def check(leaf: Any, reference: Any) -> bool:
        shape, usual = np.shape(leaf), np.shape(reference)
        if shape == usual or (other_static and len(shape) == len(usual)):
            return False
        if shape == (num_envs, *usual) or (other_static and shape[0] == num_envs and len(shape) == len(usual) + 1):
            return True
        raise UserError(f"simulate: a parameter has shape {shape}; expected {usual} or {(num_envs, *usual)}")

    leaves, tree = jax.tree.flatten(params)
    return jax.tree.unflatten(tree, list(map(check, leaves, jax.tree.leaves(default))))


def _check_form(params: Params, default: Params) -> None:
    """The type and the fields are the default's, whatever is static in them."""
    paths = [[path for path, _ in jax.tree_util.tree_leaves_with_path(x)] for x in (params, default)]
    if type(params) is not type(default) or paths[0] != paths[1]:
        trees: list[Any] = [jax.tree.structure(x) for x in (params, default)]
        raise UserError(f"simulate: params is {trees[0]}; expected the form of the default, {trees[1]}")


Numbers = tuple[tuple[float, str] | None, ...]  # a number and its type for each leaf of parameters, None for an array


def usual_numbers(params: Params, default: Params) -> Numbers | None:
    """All numbers among the parameters if they are the default ones, else None.

    The default numbers are compiled as constants, which is faster; all others share one program. The numbers
    themselves, and not only that they are the default, since environments that are equal may have other defaults.
    With JAX's 64 bits on there are no constants: one of 64 bits would make 64 bits of all that it meets.
    """
    if jax.config.read("jax_enable_x64"):
        return None
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
