"""Pendulum as Gymnasium defines it: a rod on a hinge, swung up by a torque too weak to lift it. Unbatched JAX.

Observation: float32 [3] = cosine and sine of the angle from upright, angular velocity (rad/s).
Action: float32 [1] = torque (N m) in [-2, 2]; beyond it is clipped, and NaN makes NaN, as in Gymnasium.
Reward: -(angle² + 0.1 velocity² + 0.001 torque²) of the state before the step, its angle within half a turn.
Nothing terminates an episode; the clock truncates it after 200 steps. Semi-implicit Euler integration of
angle'' = 3 g / (2 l) sin(angle) + 3 / (m l²) torque, a rod of mass m and length l about its end.
"""

import dataclasses
import math
from typing import ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.environment import Environment, Step
from edgerl.envs.masked import Masked
from edgerl.envs.spaces import Box
from edgerl.simulator.trigonometry import direction, sincos, wrapped
from edgerl.tasks.pendulum import baselines
from edgerl.util.content import ByContent
from edgerl.util.drawing import Picture
from edgerl.util.plots import BLUE, GREY


@struct.dataclass
class PendulumParams:
    """Physical constants; any field may be an array under `vmap`, which spaces do not follow."""

    gravity: float = 10.0  # m/s²
    mass: float = 1.0  # kg
    length: float = 1.0  # m
    max_torque: float = 2.0  # N m
    max_speed: float = 8.0  # rad/s
    tau: float = 0.05  # s between observations
    max_steps_in_episode: int = 200


@struct.dataclass
class PendulumState:
    """Scalars: angle from upright in [-pi, pi] and angular velocity, float32; the number of steps taken, int32.

    Gymnasium's angle goes on counting turns; within one turn float32 keeps its last digits.
    """

    theta: chex.Array
    theta_dot: chex.Array
    time: chex.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Pendulum(ByContent):
    """The environment; see the module's docstring.

    Example:
      >>> env = edgerl.make("Pendulum-v1")
      >>> obs, state = env.reset(jax.random.key(0))
      >>> obs, state, reward, terminated, truncated, _ = env.step(jax.random.key(1), state, jnp.array([0.5]))
    """

    observation_names: ClassVar = (
        "cosine of the angle from upright",
        "sine of the angle from upright",
        "angular velocity, rad/s",
    )
    action_names: ClassVar = ("torque, N m",)
    baselines: ClassVar = {"energy_shaping": baselines.energy_shaping}
    training: ClassVar = {
        "ppo": {
            "num_steps": 64,
            "num_updates": 30,
            "observation_scale": [1.0, 1.0, 8.0],
            "discount": 0.97,
            "entropy_coefficient": 0.0,
            "value_scale": 40.0,
        }
    }

    id: str = "Pendulum-v1"
    default_params: PendulumParams = dataclasses.field(default_factory=PendulumParams)

    def observation_space(self, params: PendulumParams | None = None) -> Box:
        """Cosine and sine within 1, the velocity within `max_speed`."""
        params = self.default_params if params is None else params
        high = (1.0, 1.0, float(params.max_speed))
        return Box(tuple(-h for h in high), high, (3,))

    def action_space(self, params: PendulumParams | None = None) -> Box:
        """The torque, within `max_torque`."""
        params = self.default_params if params is None else params
        return Box(-float(params.max_torque), float(params.max_torque), (1,))

    def reset(self, key: chex.PRNGKey, params: PendulumParams | None = None) -> tuple[chex.Array, PendulumState]:
        """The angle uniform in [-pi, pi), the velocity in [-1, 1)."""
        del params
        start = jax.random.uniform(key, (2,), jnp.float32, minval=-1, maxval=1)
        state = PendulumState(np.float32(math.pi) * start[0], start[1], jnp.int32(0))
        return _observe(state), state

    def step(
        self, key: chex.PRNGKey, state: PendulumState, action: chex.Array, params: PendulumParams | None = None
    ) -> Step:
        """One step of `params.tau` seconds. Deterministic: the key is not used.

        Args:
          action: float32 [1], N m.
        """
        del key
        p = self.default_params if params is None else params
        torque = jnp.clip(action[0], -p.max_torque, p.max_torque)
        cost = state.theta**2 + 0.1 * state.theta_dot**2 + 0.001 * torque**2
        sin, _ = sincos(state.theta)
        acceleration = 1.5 * p.gravity / p.length * sin + 3 / (p.mass * p.length**2) * torque
        theta_dot = jnp.clip(state.theta_dot + p.tau * acceleration, -p.max_speed, p.max_speed)
        state = PendulumState(wrapped(state.theta + p.tau * theta_dot), theta_dot, state.time + 1)
        return _observe(state), state, -cost, jnp.bool_(False), state.time >= p.max_steps_in_episode, {}

    def render(self, state: PendulumState) -> np.ndarray:
        """uint8 [200, 200, 3]: the rod about its hinge, upright above it."""
        picture = Picture(200, (-1.2, -1.2), (1.2, 1.2))
        angle = float(state.theta)
        picture.rod((0.0, 0.0), (-math.sin(angle), math.cos(angle)), 0.2, BLUE)
        picture.disc((0.0, 0.0), 0.05, GREY)
        return picture.array()


def _observe(state: PendulumState) -> chex.Array:
    return jnp.stack([*direction(state.theta), state.theta_dot])


# Of a run without the velocity, which needs a memory. Velocities are small differences of what is seen: with a scale of
# 0.3 three seeds came to -165, -152 and -160; with a scale of 1 two came to -174 and -159.
_WITH_MEMORY = {
    "ppo": {
        "num_envs": 128,
        "num_steps": 64,
        "num_updates": 120,
        "num_minibatches": 16,
        "hidden_sizes": [32],
        "gru_size": 16,
        "observation_scale": [0.3, 0.3],
        "learning_rate": 1e-3,
        "discount": 0.97,
        "entropy_coefficient": 0.0,
        "value_scale": 40.0,
    }
}


def pendulum_v1(velocities: bool = True) -> Environment:
    """Pendulum-v1; without velocities it is "PositionOnlyPendulum-v1", which observes cosine and sine alone."""
    env = Pendulum()
    return env if velocities else Masked(env, f"PositionOnly{env.id}", kept=(0, 1), training=_WITH_MEMORY)


def position_only_pendulum_v1() -> Environment:
    """`pendulum_v1(velocities=False)`, as an id of its own, which commands and run folders can name."""
    return pendulum_v1(velocities=False)
