"""Environments whose observations are no vectors, with observations that are: what a perceptron can take."""

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.environment import Environment, Params, State, Step
from edgerl.envs.spaces import Box, Discrete, Space


def as_vectors(env: Environment) -> Environment:
    """The environment itself where it observes vectors; else one that observes the same as float32 vectors.

    Arrays of several axes are flattened row by row (C order); an integer of a `Discrete` space becomes a vector with a
    one in its place and zeros elsewhere. Exported C takes the same vector.
    """
    space = env.observation_space(env.default_params)
    return env if isinstance(space, Box) and len(space.shape) == 1 else Vectors(env)


@dataclasses.dataclass(frozen=True)
class Vectors:
    """See `as_vectors`. All else, `render` among it, is the environment's own."""

    env: Environment

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "env":
            raise AttributeError(name)
        return getattr(self.env, name)

    @property
    def id(self) -> str:
        return self.env.id

    @property
    def default_params(self) -> Params:
        return self.env.default_params

    def observation_space(self, params: Params | None = None) -> Box:
        """Box of as many numbers as the environment's own has, within the same bounds."""
        space = self._inner(params)
        if isinstance(space, Discrete):
            return Box(0.0, 1.0, (space.n,))
        assert isinstance(space, Box)
        low, high = (np.asarray(bound).reshape(-1) for bound in space.bounds())
        return Box(low, high, low.shape)  # type: ignore[arg-type]

    def action_space(self, params: Params | None = None) -> Space:
        return self.env.action_space(params)

    def reset(self, key: chex.PRNGKey, params: Params | None = None) -> tuple[chex.Array, State]:
        """The environment's own, its observation as a vector."""
        obs, state = self.env.reset(key, params)
        return self._vector(obs, params), state

    def step(self, key: chex.PRNGKey, state: State, action: chex.Array, params: Params | None = None) -> Step:
        """The environment's own, its observation as a vector."""
        obs, *others = self.env.step(key, state, action, params)
        return self._vector(obs, params), *others  # type: ignore[return-value]

    def _inner(self, params: Params | None) -> Space:
        return self.env.observation_space(self.default_params if params is None else params)

    def _vector(self, obs: chex.Array, params: Params | None) -> chex.Array:
        space = self._inner(params)
        if isinstance(space, Discrete):
            return jax.nn.one_hot(obs, space.n, dtype=jnp.float32)
        return jnp.asarray(obs, jnp.float32).reshape(-1)
