"""A tiny environment with known values. What it probes is in its parameters, so that probes train side by side."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
from flax import struct

from edgerl.envs.environment import Step
from edgerl.envs.spaces import Box, Discrete


@struct.dataclass
class ProbeParams:
    """The reward is a sum of these; an episode has `length` steps."""

    constant: float = 0.0
    by_sign: float = 0.0  # times the observed sign
    by_action: float = 0.0  # times -1 for action 0, 1 for action 1
    by_both: float = 0.0  # times both
    at_end: float = 0.0  # on the last step
    length: int = 1
    truncates: bool = False  # whether the last step is a truncation or a termination
    shows_time: bool = False  # whether the number of steps taken is observed


@struct.dataclass
class ProbeState:
    sign: chex.Array  # -1 or 1, of the whole episode
    time: chex.Array


@dataclasses.dataclass(frozen=True)
class Probe:
    """Observation: float32 [2] = the episode's sign, and the steps taken or 0."""

    id: str = "Probe-v0"
    default_params: ProbeParams = dataclasses.field(default_factory=ProbeParams)

    def observation_space(self, params: ProbeParams | None = None) -> Box:
        return Box(-100.0, 100.0, (2,))

    def action_space(self, params: ProbeParams | None = None) -> Discrete:
        return Discrete(2)

    def reset(self, key: chex.PRNGKey, params: ProbeParams | None = None) -> tuple[chex.Array, ProbeState]:
        p = self.default_params if params is None else params
        state = ProbeState(jnp.where(jax.random.bernoulli(key), 1.0, -1.0), jnp.int32(0))
        return _observe(state, p), state

    def step(self, key: chex.PRNGKey, state: ProbeState, action: chex.Array, params: ProbeParams | None = None) -> Step:
        p = self.default_params if params is None else params
        push = 2.0 * action - 1
        state = ProbeState(state.sign, state.time + 1)
        ended = state.time >= p.length
        reward = p.constant + p.by_sign * state.sign + p.by_action * push + p.by_both * push * state.sign
        reward = jnp.float32(reward + p.at_end * ended)
        return _observe(state, p), state, reward, ended & ~jnp.asarray(p.truncates), ended & p.truncates, {}


def _observe(state: ProbeState, params: ProbeParams) -> chex.Array:
    return jnp.stack([state.sign, jnp.where(params.shows_time, state.time, 0).astype(jnp.float32)])
