"""The two classes behind `to_gymnasium`. Importing this file imports Gymnasium."""

import functools
from typing import Any

import chex
import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from edgerl.core import generator
from edgerl.core.environment import AutoReset, Environment, Params, State
from edgerl.core.errors import UserError
from edgerl.core.spaces import Box, Discrete, Space


class SingleEnv(gymnasium.Env[np.ndarray, Any]):
    """One environment; the episode's end is left to the caller, as in all of Gymnasium."""

    metadata = {"render_modes": []}  # noqa: RUF012 (Gymnasium's form)

    def __init__(self, env: Environment, params: Params | None = None) -> None:
        self._env, self._params = env, env.default_params if params is None else params
        self.observation_space = _space(env.observation_space(self._params))
        self.action_space = _space(env.action_space(self._params))
        make: Any = lambda: SingleEnv(env, params)  # noqa: E731
        self.spec = EnvSpec(f"EdgeRL/{env.id}", entry_point=make)
        self._state: State | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """A new episode; there are no options."""
        super().reset(seed=seed)
        self._key, self._time = _draw_key(self.np_random), 0
        obs, self._state = _compiled(self._env)[0](self._key, self._params)
        return np.asarray(obs), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One transition."""
        if self._state is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        action = _checked(action, self.action_space)
        self._time += 1
        obs, self._state, reward, terminated, truncated, info = _compiled(self._env)[1](
            self._key, self._time, self._state, action, self._params
        )
        obs, info = jax.tree.map(np.asarray, (obs, info))
        return obs, float(reward), bool(terminated), bool(truncated), info


class ManyEnv(VectorEnv[np.ndarray, Any, np.ndarray]):
    """Many environments; those that end are reset on the same step."""

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, env: Environment, num_envs: int, params: Params | None = None) -> None:
        self._env, self._params = env, env.default_params if params is None else params
        self.num_envs = num_envs
        self.single_observation_space = _space(env.observation_space(self._params))
        self.single_action_space = _space(env.action_space(self._params))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        make: Any = lambda num_envs: ManyEnv(env, num_envs, params)  # noqa: E731
        self.spec = EnvSpec(f"EdgeRL/{env.id}", vector_entry_point=make)
        self._state: State | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """A new episode in each; there are no options."""
        super().reset(seed=seed)
        self._key, self._time = _draw_key(self.np_random), 0
        obs, self._state = _compiled_many(self._env, self.num_envs)[0](self._key, self._params)
        return np.array(obs), {}

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One transition of each."""
        if self._state is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        actions = _checked(actions, self.action_space)
        self._time += 1
        obs, self._state, reward, terminated, truncated, info = _compiled_many(self._env, self.num_envs)[1](
            self._key, self._time, self._state, actions, self._params
        )
        flags = np.array(terminated), np.array(truncated)
        return np.array(obs), np.array(reward), *flags, _vector_info(info, flags[0] | flags[1])


def _vector_info(info: dict[str, Any], ended: np.ndarray) -> dict[str, Any]:
    """Gymnasium's form: each entry beside a mask of the environments that it holds for, under its name with a "_".

    Where an episode ended, its observation and its own entries are in `final_obs` and `final_info`.
    """
    info = jax.tree.map(np.array, info)
    final_obs = info.pop("final_observation")
    for flag in ("terminated", "truncated"):
        del info[flag]
    result = _masked(info, ~ended)
    if ended.any():
        last = np.full(len(ended), None, object)
        for i in np.flatnonzero(ended):
            last[i] = final_obs[i]
        result |= {"final_obs": last, "_final_obs": ended, "final_info": _masked(info, ended), "_final_info": ended}
    return result


def _masked(info: dict[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """The entries with zeros outside of the mask, and the mask for each."""
    if not mask.any():
        return {}
    entries = {}
    for name, value in info.items():
        entries[name] = value * mask.reshape(-1, *[1] * (value.ndim - 1)).astype(value.dtype)
        entries[f"_{name}"] = mask
    return entries


@functools.lru_cache(maxsize=64)
def _compiled(env: Environment) -> tuple[Any, Any]:
    """(reset, step) of one environment; an episode's key gives each step's."""

    def reset(key: chex.PRNGKey, params: Params) -> Any:
        return env.reset(jax.random.fold_in(key, 0), params)

    def step(key: chex.PRNGKey, time: chex.Array, state: State, action: chex.Array, params: Params) -> Any:
        return env.step(jax.random.fold_in(key, time), state, action, params)

    return jax.jit(reset), jax.jit(step)


@functools.lru_cache(maxsize=64)
def _compiled_many(env: Environment, num_envs: int) -> tuple[Any, Any]:
    """(reset, step) of many environments, with reset where an episode ends."""
    auto = AutoReset(env)

    def reset(key: chex.PRNGKey, params: Params) -> Any:
        keys = jax.random.split(jax.random.fold_in(key, 0), num_envs)
        return jax.vmap(auto.reset, in_axes=(0, None))(keys, params)

    def step(key: chex.PRNGKey, time: chex.Array, state: State, actions: chex.Array, params: Params) -> Any:
        keys = jax.random.split(jax.random.fold_in(key, time), num_envs)
        return jax.vmap(auto.step, in_axes=(0, 0, 0, None))(keys, state, actions, params)

    return jax.jit(reset), jax.jit(step)


def _draw_key(random: np.random.Generator) -> chex.PRNGKey:
    """A key from Gymnasium's generator, which `reset(seed=…)` seeds."""
    a, b = random.integers(0, 2**32, size=2, dtype=np.uint32)
    return generator.new_key(jnp.uint32(a), jnp.uint32(b))


def _space(space: Space) -> spaces.Space:
    if isinstance(space, Discrete):
        return spaces.Discrete(space.n)
    if isinstance(space, Box):
        return spaces.Box(*space.bounds(), space.shape, np.float32)
    raise UserError(f"to_gymnasium: {type(space).__name__} spaces cannot be converted, only Discrete and Box")


def _checked(action: Any, space: spaces.Space) -> np.ndarray:
    """The action as an array of the type that the environment takes, int32 or float32."""
    if not space.contains(action):
        raise UserError(f"step: the action {action!r} is not in {space}")
    return np.asarray(action, np.float32 if np.issubdtype(space.dtype, np.floating) else np.int32)
