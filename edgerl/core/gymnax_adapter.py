"""Environments written for gymnax 1.x, as environments of this package."""

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.core.environment import Environment, Params, State, Step
from edgerl.core.errors import UserError
from edgerl.core.spaces import Box, Discrete, Space


def from_gymnax(env: Any) -> Environment:
    """A gymnax 1.x environment under this package's contract: without auto-reset, its two flags never both set.

    gymnax's own `step_env`, `reset_env` and `is_truncated` are called. Observations become float32, whatever numbers
    they were; parameters and states are gymnax's.

    Raises:
      UserError: not a gymnax 1.x environment, or a space that is neither `Discrete` nor `Box`.
    """
    missing = [name for name in ("step_env", "reset_env", "is_truncated") if not hasattr(env, name)]
    if missing:
        raise UserError(
            f"from_gymnax: {type(env).__name__} has no {', '.join(missing)}; it takes a gymnax 1.x environment"
        )
    adapted = FromGymnax(env)
    adapted.observation_space()
    adapted.action_space()
    return adapted


@dataclasses.dataclass(frozen=True)
class FromGymnax:
    """What `from_gymnax` returns. Equal if the gymnax environment is the same object."""

    env: Any

    @property
    def id(self) -> str:
        """gymnax's name for it."""
        return self.env.name

    @property
    def default_params(self) -> Params:
        return self.env.default_params

    def observation_space(self, params: Params | None = None) -> Space:
        """gymnax's, as float32."""
        with jax.ensure_compile_time_eval():  # gymnax makes its bounds with JAX, which a trace would catch
            return _observation_space(self.env.observation_space(self._params(params)))

    def action_space(self, params: Params | None = None) -> Space:
        """gymnax's."""
        with jax.ensure_compile_time_eval():
            return _action_space(self.env.action_space(self._params(params)))

    def reset(self, key: chex.PRNGKey, params: Params | None = None) -> tuple[chex.Array, State]:
        """gymnax's `reset_env`."""
        obs, state = self.env.reset_env(key, self._params(params))
        return jnp.asarray(obs, jnp.float32), _strong(state)

    def step(self, key: chex.PRNGKey, state: State, action: chex.Array, params: Params | None = None) -> Step:
        """gymnax's `step_env` and `is_truncated`. Where both flags would be set, the episode is terminated."""
        params = self._params(params)
        obs, new_state, reward, terminated, info = self.env.step_env(key, state, action, params)
        terminated = jnp.asarray(terminated, bool)
        truncated = jnp.asarray(self.env.is_truncated(new_state, params), bool) & ~terminated
        obs, reward = jnp.asarray(obs, jnp.float32), jnp.asarray(reward, jnp.float32)
        return obs, _strong(new_state), reward, terminated, truncated, info

    def _params(self, params: Params | None) -> Params:
        return self.env.default_params if params is None else params


def _strong(state: State) -> State:
    """The state with dtypes of its own: gymnax starts its clocks with a Python 0, which would be traced twice."""
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(x)), state)


def _action_space(space: Any) -> Space:
    kind = type(space).__name__
    if kind == "Discrete":
        return Discrete(int(space.n))
    if kind == "Box":
        return Box(_bound(space.low), _bound(space.high), tuple(int(n) for n in np.atleast_1d(space.shape)))
    raise UserError(f"from_gymnax: {kind} spaces cannot be converted, only Discrete and Box")


def _observation_space(space: Any) -> Space:
    """A `Box`, since observations are float32."""
    converted = _action_space(space)
    return Box(0.0, converted.n - 1.0, ()) if isinstance(converted, Discrete) else converted


def _bound(bound: Any) -> Any:
    """A number, or nested tuples, which are hashable."""
    values = np.asarray(bound, np.float32)
    return float(values.flat[0]) if (values == values.flat[0]).all() else _tuples(values.tolist())


def _tuples(values: Any) -> Any:
    return tuple(map(_tuples, values)) if isinstance(values, list) else values
