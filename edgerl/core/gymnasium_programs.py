"""The compiled functions behind `to_gymnasium`."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.core import generator
from edgerl.core.content import cache_by_content
from edgerl.core.environment import AutoReset, Environment, Params, State, Step
from edgerl.core.errors import UserError


@cache_by_content()
def compiled(env: Environment) -> tuple[Any, Any]:
    """(reset, step) of one environment; an episode's key, two words, gives each step's."""

    def reset(words: chex.Array, params: Params) -> Any:
        return env.reset(jax.random.fold_in(generator.new_key(words[0], words[1]), 0), params)

    def step(words: chex.Array, time: chex.Array, state: State, action: chex.Array, params: Params) -> Any:
        key = jax.random.fold_in(generator.new_key(words[0], words[1]), time)
        return _scalars(env.id, env.step(key, state, action, params))

    return jax.jit(reset), jax.jit(step)


@cache_by_content()
def compiled_many(env: Environment, num_envs: int) -> tuple[Any, Any]:
    """(reset, step) of many environments, with reset where an episode ends."""
    auto = AutoReset(_Scalars(env))

    def keys(words: chex.Array, time: chex.Array) -> chex.PRNGKey:
        return jax.random.split(jax.random.fold_in(generator.new_key(words[0], words[1]), time), num_envs)

    def reset(words: chex.Array, params: Params) -> Any:
        return jax.vmap(auto.reset, in_axes=(0, None))(keys(words, jnp.int32(0)), params)

    def step(words: chex.Array, time: chex.Array, state: State, actions: chex.Array, params: Params) -> Any:
        return jax.vmap(auto.step, in_axes=(0, 0, 0, None))(keys(words, time), state, actions, params)

    return jax.jit(reset), jax.jit(step)


class _Scalars:
    """An environment whose reward and flags have their right forms."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def step(self, *arguments: Any) -> Step:
        return _scalars(self._env.id, self._env.step(*arguments))


def _scalars(name: str, result: Step) -> Step:
    """The same with a float32 reward and two flags. While it is traced: it costs no time later."""
    if not isinstance(result, tuple) or len(result) != 6:
        raise UserError(f"{name}: step must return (obs, state, reward, terminated, truncated, info)")
    obs, state, reward, terminated, truncated, info = result
    for what, x in (("reward", reward), ("terminated", terminated), ("truncated", truncated)):
        if np.shape(x) != ():
            raise UserError(f"{name}: step's {what} has shape {list(np.shape(x))}; a scalar is right")
    flags = jnp.asarray(terminated, bool), jnp.asarray(truncated, bool)
    return obs, state, jnp.asarray(reward, jnp.float32), *flags, info
