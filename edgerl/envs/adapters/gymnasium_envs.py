"""The two classes behind `to_gymnasium`. Importing this file imports Gymnasium."""

from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from edgerl.envs.adapters.forked import refuse_fork
from edgerl.envs.adapters.gymnasium_copies import Maker, Portable, spec_of
from edgerl.envs.adapters.gymnasium_programs import compiled, compiled_many
from edgerl.envs.adapters.gymnasium_spaces import checked, converted
from edgerl.envs.environment import Environment, Params, State


class SingleEnv(Portable, gymnasium.Env[np.ndarray, Any]):
    """One environment; the episode's end is left to the caller, as in all of Gymnasium."""

    metadata = {"render_modes": []}  # noqa: RUF012 (Gymnasium's form)

    def __init__(self, env: Environment, params: Params | None = None) -> None:
        self._env, self._params = env, env.default_params if params is None else params
        self.observation_space = converted(env.observation_space(self._params), "observations")
        self.action_space = converted(env.action_space(self._params), "actions")
        makers = {"entry_point": Maker(SingleEnv, env, params), "vector_entry_point": Maker(ManyEnv, env, params)}
        self.spec = spec_of(env, self._params, makers)
        self._state: State | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """A new episode; there are no options."""
        super().reset(seed=seed)
        self._words, self._time = _draw_words(self.np_random), 0
        obs, self._state = compiled(self._env)[0](self._words, self._params)
        return np.asarray(obs), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One transition."""
        if self._state is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        action = checked(action, self.action_space)
        self._time += 1
        obs, self._state, reward, terminated, truncated, info = compiled(self._env)[1](
            self._words, self._time, self._state, action, self._params
        )
        obs, info = jax.tree.map(np.asarray, (obs, info))
        return obs, float(reward), bool(terminated), bool(truncated), info


class ManyEnv(Portable, VectorEnv[np.ndarray, Any, np.ndarray]):
    """Many environments; those that end are reset on the same step."""

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, env: Environment, num_envs: int, params: Params | None = None) -> None:
        self._env, self._params = env, env.default_params if params is None else params
        self.num_envs = num_envs
        self.single_observation_space = converted(env.observation_space(self._params), "observations")
        self.single_action_space = converted(env.action_space(self._params), "actions")
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.spec = spec_of(env, self._params, {"vector_entry_point": Maker(ManyEnv, env, params)})
        self._state: State | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """A new episode in each; there are no options."""
        super().reset(seed=seed)
        self._words, self._time = _draw_words(self.np_random), 0
        obs, self._state = compiled_many(self._env, self.num_envs)[0](self._words, self._params)
        return np.array(obs), {}

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One transition of each."""
        if self._state is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        actions = checked(actions, self.action_space)
        self._time += 1
        obs, self._state, reward, terminated, truncated, info = compiled_many(self._env, self.num_envs)[1](
            self._words, self._time, self._state, actions, self._params
        )
        flags = np.array(terminated), np.array(truncated)
        return np.array(obs), np.array(reward), *flags, _vector_info(info, flags[0] | flags[1])


def _draw_words(random: np.random.Generator) -> np.ndarray:
    """Two words of a key, uint32, from Gymnasium's generator, which `reset(seed=…)` seeds."""
    refuse_fork("to_gymnasium")
    return random.integers(0, 2**32, size=2, dtype=np.uint32)


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
