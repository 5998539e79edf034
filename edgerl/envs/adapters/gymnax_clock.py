"""Time limits in environments that are older than gymnax 1.0, which has `is_truncated` for them."""

import dataclasses
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters.partial_eval import dce_jaxpr

from edgerl.envs.adapters.gymnax_bare import innermost
from edgerl.envs.environment import AutoReset


def warn_of_time_limit(running: Any, name: str) -> None:
    """Warns where the end of time does not reach a learner as a truncation.

    Before gymnax 1.0, the time limit was in `is_terminal`: a learner then takes the future after it for worthless. And
    an environment that had another clock leaves gymnax's own limit at 1 step, which now cuts every episode there.
    """
    core = innermost(running)
    if isinstance(core, AutoReset):
        return
    params = core.default_params
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(core.reset_env, key, params)[1]
    if not hasattr(params, "max_steps_in_episode") or not hasattr(state, "time"):
        return
    reads = _reads(core, key, state, params)
    if ".time" not in reads:
        return
    if _is_left_at_one(params):
        text = "every episode is cut after 1 step: its parameters leave gymnax's max_steps_in_episode at 1; set it"
    elif _is_terminated_at_limit(core, params, ".max_steps_in_episode" in reads):
        text = "its time limit ends an episode as terminated, as before gymnax 1.0, so that a learner takes the future "
        text += "for worthless; let step_env leave the limit to is_truncated"
    else:
        return
    warnings.warn(f"from_gymnax: {name}: {text}", stacklevel=3)


def _is_left_at_one(params: Any) -> bool:
    """Whether the limit is not the environment's own, but the default of gymnax's base class."""
    owner = next(
        (k for k in type(params).__mro__ if "max_steps_in_episode" in vars(k).get("__annotations__", {})), None
    )
    inherited = owner is not None and owner.__module__ == "gymnax.environments.environment"
    return inherited and bool(np.all(np.asarray(params.max_steps_in_episode) == 1))


def _reads(core: Any, key: Any, state: Any, params: Any) -> set[str]:
    """Leaves of state and parameters that decide if a step terminates, by name; read from a trace."""
    action = jax.eval_shape(lambda k: core.action_space(params).sample(k), key)
    arguments = (key, state, action, params)
    traced = jax.make_jaxpr(lambda *arguments: core.step_env(*arguments)[3])(*arguments)
    used = dce_jaxpr(traced.jaxpr, [True])[1]
    paths = [path for path, _ in jax.tree.leaves_with_path(arguments)]
    return {jax.tree_util.keystr(path[1:]) for path, is_used in zip(paths, used, strict=True) if is_used}


def _is_terminated_at_limit(core: Any, params: Any, reads_limit: bool) -> bool:
    """Whether a fresh state is terminated for its clock alone, just when the limit truncates it.

    A clock that terminates before, whatever the limit is, is the task's own and no time limit.
    """

    def step(left: int | None) -> Any:
        key = jax.random.key(0)
        state = core.reset_env(key, params)[1]
        if left is not None:
            time = jnp.asarray(params.max_steps_in_episode, jnp.result_type(state.time)) - left
            state = dataclasses.replace(state, time=time)
        _, state, _, terminated, _ = core.step_env(key, state, core.action_space(params).sample(key), params)
        return jnp.all(jnp.asarray(terminated, bool)), core.is_truncated(state, params)

    (early, _), (before, _), (last, truncated) = jax.jit(lambda: tuple(map(step, (None, 2, 1))))()
    return bool(last & truncated & ~early) and (not before or reads_limit)
