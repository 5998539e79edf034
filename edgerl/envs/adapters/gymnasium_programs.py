"""The compiled functions behind `to_gymnasium`."""

from typing import Any

import chex
import jax
import jax.numpy as jnp

from edgerl.envs import prng
from edgerl.envs.environment import AutoReset, Environment, Params, State, Step
from edgerl.util.content import cache_by_content


@cache_by_content()
def compiled(env: Environment) -> tuple[Any, Any]:
    """(reset, step) of one environment; an episode's key, two words, gives each step's."""

    def reset(words: chex.Array, params: Params) -> Any:
        return env.reset(jax.random.fold_in(prng.new_key(words[0], words[1]), 0), params)

    def step(words: chex.Array, time: chex.Array, state: State, action: chex.Array, params: Params) -> Any:
        key = jax.random.fold_in(prng.new_key(words[0], words[1]), time)
        return _float_reward(env.step(key, state, action, params))

    return jax.jit(reset), jax.jit(step)


@cache_by_content()
def compiled_many(env: Environment, num_envs: int) -> tuple[Any, Any]:
    """(reset, step) of many environments, with reset where an episode ends."""
    auto = AutoReset(_FloatReward(env))

    def keys(words: chex.Array, time: chex.Array) -> chex.PRNGKey:
        return jax.random.split(jax.random.fold_in(prng.new_key(words[0], words[1]), time), num_envs)

    def reset(words: chex.Array, params: Params) -> Any:
        return jax.vmap(auto.reset, in_axes=(0, None))(keys(words, jnp.int32(0)), params)

    def step(words: chex.Array, time: chex.Array, state: State, actions: chex.Array, params: Params) -> Any:
        return jax.vmap(auto.step, in_axes=(0, 0, 0, None))(keys(words, time), state, actions, params)

    return jax.jit(reset), jax.jit(step)


class _FloatReward:
    """An environment whose reward is a float32, whatever number it gives."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def step(self, *arguments: Any) -> Step:
        return _float_reward(self._env.step(*arguments))


def _float_reward(result: Step) -> Step:
    obs, state, reward, *others = result
    return obs, state, jnp.asarray(reward, jnp.float32), *others
