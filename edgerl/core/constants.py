"""What an environment gives whatever happens: the simulator need neither carry nor sum it."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

from edgerl.core.environment import Environment


@functools.lru_cache(maxsize=64)
def constant_reward(env: Environment) -> float | None:
    """What every step pays, whatever the parameters; None where it depends on something."""

    def reward(key: jax.Array, params: Any) -> jax.Array:
        state, action = env.reset(key, params)[1], env.action_space().sample(key)
        return env.step(key, state, action, params)[2]

    value = _literals(reward, env)
    return None if value is None else float(value)


@functools.lru_cache(maxsize=64)
def constant_start(env: Environment) -> Any:
    """Observation and state after a reset, with a NumPy scalar for what is always the same and else None."""
    return _literals(env.reset, env)


def _literals(function: Callable[..., Any], env: Environment) -> Any:
    key = jax.eval_shape(lambda: jax.random.key(0))  # its form: an outer trace would keep the making of a real one
    traced, shape = jax.make_jaxpr(function, return_shape=True)(key, env.default_params)
    values = [np.asarray(x.val)[()] if isinstance(x, Literal) else None for x in traced.jaxpr.outvars]
    return jax.tree.unflatten(jax.tree.structure(shape), values)
