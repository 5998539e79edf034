"""A probe of memory: a sign is shown at the first step of an episode, and asked for at the last one."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from edgerl import Box, Discrete, Environment


@struct.dataclass
class RecallState:
    sign: Any
    time: Any


@dataclasses.dataclass(frozen=True)
class Recall(Environment):
    """`wait` steps lie between; 1 for the right answer, -1 for the other: 0 in the mean for a policy without memory."""

    id: str = "Recall-v0"
    wait: int = 3
    default_params: None = None

    def observation_space(self, params=None):
        return Box(-1.0, 1.0, (2,))

    def action_space(self, params=None):
        return Discrete(2)

    def reset(self, key, params=None):
        sign = jnp.where(jax.random.bernoulli(key), 1.0, -1.0)
        return jnp.stack([sign, 0.0]), RecallState(sign, jnp.int32(0))

    def step(self, key, state, action, params=None):
        last = state.time == self.wait
        right = (action == 1) == (state.sign > 0)
        reward = jnp.where(last, jnp.where(right, 1.0, -1.0), 0.0)
        later = RecallState(state.sign, state.time + 1)
        obs = jnp.stack([0.0, jnp.where(later.time == self.wait, 1.0, 0.0)])
        return obs, later, reward, last, jnp.bool_(False), {}
