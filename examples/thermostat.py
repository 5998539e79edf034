"""An environment of one's own: a heater that keeps a room at 20 degrees, in the whole way from here to C.

edgerl train examples/thermostat.py:Thermostat --out runs/heat
edgerl evaluate runs/heat && edgerl figures runs/heat
edgerl export runs/heat --out runs/heat_c && edgerl verify runs/heat_c
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

import edgerl


@struct.dataclass
class Params:
    """Numbers that a simulation may vary."""

    wanted: float = 20.0  # degrees Celsius
    heating: float = 0.5  # degrees a minute, with the heater on
    leak: float = 0.02  # share of the difference to the outside that is lost each minute
    max_steps_in_episode: int = 120  # minutes


@struct.dataclass
class State:
    room: jax.Array
    outside: jax.Array
    time: jax.Array


@dataclasses.dataclass(frozen=True)
class Thermostat:
    """Each minute the heater is off (0) or on (1). Reward: minus the distance from the wanted temperature."""

    observation_names = ("room, degrees Celsius", "outside, degrees Celsius")
    action_names = ("heater off", "heater on")
    id: str = "Thermostat-v0"
    default_params: Params = Params()

    def observation_space(self, params=None):
        return edgerl.Box(-50.0, 80.0, (2,))

    def action_space(self, params=None):
        return edgerl.Discrete(2)

    def reset(self, key, params=None):
        room, outside = jax.random.uniform(key, (2,), minval=jnp.array([10.0, -5.0]), maxval=jnp.array([25.0, 10.0]))
        return jnp.stack([room, outside]), State(room, outside, jnp.int32(0))

    def step(self, key, state, action, params=None):
        p = self.default_params if params is None else params
        room = state.room + p.heating * action - p.leak * (state.room - state.outside)
        outside = jnp.clip(state.outside + 0.1 * jax.random.normal(key), -10.0, 15.0)
        state = State(room, outside, state.time + 1)
        ended = state.time >= p.max_steps_in_episode  # only the clock ends an episode
        return jnp.stack([room, outside]), state, -jnp.abs(room - p.wanted), jnp.bool_(False), ended, {}
