"""Small environments that the tests of `core` share."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from edgerl.envs.spaces import Box, Discrete


@struct.dataclass
class WalkParams:
    scale: float = 1.0
    limit: float = 3.0
    max_steps: int = 20


@struct.dataclass
class WalkState:
    x: jax.Array
    time: jax.Array


@dataclasses.dataclass(frozen=True)
class Walk:
    """A noisy walk on a line, from near 0: terminated beyond `limit`, truncated after `max_steps`. Reward: x."""

    id: str = "Walk-v0"
    default_params: Any = dataclasses.field(default_factory=WalkParams)

    def observation_space(self, params=None):
        return Box(float("-inf"), float("inf"), (1,))

    def action_space(self, params=None):
        return Discrete(3)

    def reset(self, key, params=None):
        x = jax.random.uniform(key, (), minval=-0.1, maxval=0.1)
        return x[None], WalkState(x, jnp.int32(0))

    def step(self, key, state, action, params=None):
        p = self.default_params if params is None else params
        x = state.x + p.scale * (action - 1) + 0.1 * jax.random.normal(key)
        state = WalkState(x, state.time + 1)
        terminated = jnp.abs(x) > p.limit
        return x[None], state, x, terminated, (state.time >= p.max_steps) & ~terminated, {}


@struct.dataclass
class FixedParams:
    length: int = 1
    reward: float = 1.0


@dataclasses.dataclass(frozen=True)
class Fixed:
    """Episodes of `length` steps (0: without end), `reward` for each; what is observed is the clock."""

    id: str = "Fixed-v0"
    default_params: Any = dataclasses.field(default_factory=FixedParams)
    terminates: bool = True

    def observation_space(self, params=None):
        return Box(0.0, 2.0**24, (1,))

    def action_space(self, params=None):
        return Discrete(2)

    def reset(self, key, params=None):
        return jnp.zeros(1), jnp.int32(0)

    def step(self, key, state, action, params=None):
        p = self.default_params if params is None else params
        ended, no = state + 1 == p.length, jnp.asarray(False)
        flags = (ended, no) if self.terminates else (no, ended)
        return (state + 1.0)[None], state + 1, jnp.float32(p.reward), *flags, {}


@struct.dataclass
class KeyedState:
    x: jax.Array
    sum: jax.Array
    key: jax.Array
    time: jax.Array


@dataclasses.dataclass(frozen=True)
class Keyed:
    """A walk that keeps its own random key in its state, as some environments of others do."""

    id: str = "Keyed-v0"
    default_params: Any = dataclasses.field(default_factory=WalkParams)

    def observation_space(self, params=None):
        return Box(float("-inf"), float("inf"), (1,))

    def action_space(self, params=None):
        return Discrete(2)

    def reset(self, key, params=None):
        key, draw = jax.random.split(key)
        x = jax.random.uniform(draw)
        return x[None], KeyedState(x, x, key, jnp.int32(0))

    def step(self, key, state, action, params=None):
        p = self.default_params if params is None else params
        key, draw = jax.random.split(state.key)
        x = state.x + p.scale * jax.random.normal(draw)
        state = KeyedState(x, state.sum + x, key, state.time + 1)
        terminated = jnp.abs(x) > p.limit
        return x[None], state, x, terminated, (state.time >= p.max_steps) & ~terminated, {}
