"""MountainCarContinuous as Gymnasium defines it: a motor too weak for the hill swings a car out of a valley. JAX.

Observation: float32 [2] = position (m) in [-1.2, 0.6], velocity (m a step) in [-0.07, 0.07].
Action: float32 [1] = the motor's force in [-1, 1], 1.5e-3 m a step² each. Beyond it is clipped, but paid in full as in
Gymnasium; NaN makes NaN.
Reward: -0.1 force², and 100 at the goal. Terminated: the position is 0.45 or more, the velocity not below the goal's.
Truncated: the clock ran out after 999 steps. The hill's height is sin(3 position). Source: Moore's thesis (1990); the
continuous form is by Sigaud.
"""

import dataclasses
import math
from typing import ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.environment import Step
from edgerl.envs.spaces import Box
from edgerl.simulator.trigonometry import sincos
from edgerl.tasks.mountain_car import baselines
from edgerl.util.content import ByContent
from edgerl.util.drawing import Picture
from edgerl.util.plots import BLUE, GREY, ORANGE


@struct.dataclass
class MountainCarParams:
    """Constants of the task; any field may be an array under `vmap`, which spaces do not follow."""

    power: float = 0.0015  # m a step², of a force of 1
    gravity: float = 0.0025  # m a step²
    max_force: float = 1.0
    min_position: float = -1.2  # m
    max_position: float = 0.6  # m
    max_speed: float = 0.07  # m a step
    goal_position: float = 0.45  # m
    goal_velocity: float = 0.0  # m a step, at least, on arrival
    max_steps_in_episode: int = 999


@struct.dataclass
class MountainCarState:
    """Scalars: position and velocity, float32; the number of steps taken, int32."""

    position: chex.Array
    velocity: chex.Array
    time: chex.Array


@dataclasses.dataclass(frozen=True, eq=False)
class MountainCarContinuous(ByContent):
    """The environment; see the module's docstring.

    Example:
      >>> env = edgerl.make("MountainCarContinuous-v0")
      >>> obs, state = env.reset(jax.random.key(0))
      >>> obs, state, reward, terminated, truncated, _ = env.step(jax.random.key(1), state, jnp.array([1.0]))
    """

    observation_names: ClassVar = ("position, m", "velocity, m a step")
    action_names: ClassVar = ("force, 1.5e-3 m a step^2",)
    baselines: ClassVar = {"energy_pumping": baselines.energy_pumping}
    # An update sees whole episodes, in which the motor pushes at random and almost always in full: in some, it happens
    # to reach the goal. Where updates are shorter, some seeds learn to save force before any has been there.
    training: ClassVar = {
        "checkpoint_every": 2,
        "finetune_updates": 4,
        "ppo": {
            "num_steps": 1024,
            "num_updates": 12,
            "num_minibatches": 64,
            "observation_scale": [1.0, 0.07],
            "discount": 0.997,
            "gae_lambda": 0.97,
            "entropy_coefficient": 0.0,
            "initial_std": 3.0,
            "value_scale": 50.0,
        },
    }

    id: str = "MountainCarContinuous-v0"
    default_params: MountainCarParams = dataclasses.field(default_factory=MountainCarParams)

    def observation_space(self, params: MountainCarParams | None = None) -> Box:
        """Both ends of the track, and the largest speed either way."""
        p = self.default_params if params is None else params
        speed = float(p.max_speed)
        return Box((float(p.min_position), -speed), (float(p.max_position), speed), (2,))

    def action_space(self, params: MountainCarParams | None = None) -> Box:
        """The force, within `max_force`."""
        params = self.default_params if params is None else params
        return Box(-float(params.max_force), float(params.max_force), (1,))

    def reset(self, key: chex.PRNGKey, params: MountainCarParams | None = None) -> tuple[chex.Array, MountainCarState]:
        """At rest, the position uniform in [-0.6, -0.4)."""
        del params
        position = jax.random.uniform(key, (), jnp.float32, minval=-0.6, maxval=-0.4)
        state = MountainCarState(position, jnp.float32(0), jnp.int32(0))
        return _observe(state), state

    def step(
        self, key: chex.PRNGKey, state: MountainCarState, action: chex.Array, params: MountainCarParams | None = None
    ) -> Step:
        """One step. Deterministic: the key is not used.

        Args:
          action: float32 [1].
        """
        del key
        p = self.default_params if params is None else params
        force = jnp.clip(action[0], -p.max_force, p.max_force)
        _, slope = sincos(3 * state.position)
        velocity = jnp.clip(state.velocity + p.power * force - p.gravity * slope, -p.max_speed, p.max_speed)
        position = jnp.clip(state.position + velocity, p.min_position, p.max_position)
        velocity = jnp.where((position <= p.min_position) & (velocity < 0), 0.0, velocity)  # the wall takes all of it
        state = MountainCarState(position, velocity, state.time + 1)
        terminated = (position >= p.goal_position) & (velocity >= p.goal_velocity)
        truncated = (state.time >= p.max_steps_in_episode) & ~terminated
        reward = jnp.where(terminated, 100.0, 0.0) - 0.1 * action[0] ** 2
        return _observe(state), state, reward, terminated, truncated, {}

    def render(self, state: MountainCarState) -> np.ndarray:
        """uint8 [200, 300, 3]: the car on its hill, and the goal's flag."""
        p, position = self.default_params, float(state.position)
        picture = Picture(300, (-1.2, -0.25), (0.6, 0.95))
        grid = np.linspace(-1.2, 0.6, 100)
        picture.line([(x, _height(x)) for x in grid], 0.01, GREY)
        foot = (p.goal_position, _height(p.goal_position))
        picture.line([foot, (foot[0], foot[1] + 0.15)], 0.006, GREY)
        picture.polygon([(foot[0], foot[1] + h) for h in (0.1, 0.15)] + [(foot[0] + 0.08, foot[1] + 0.125)], ORANGE)
        # A car of 0.1 m stands on the hill as steep as it is drawn there, half as high as wide.
        angle = math.atan(0.45 * 3 * math.cos(3 * position))
        along, up = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
        middle = np.array([position, _height(position)])
        ends = [middle + side * 0.06 * along + h * up for side, h in ((-1, 0.03), (1, 0.03), (1, 0.09), (-1, 0.09))]
        picture.polygon([tuple(end) for end in ends], BLUE)
        for side in (-0.035, 0.035):
            wheel = middle + side * along + 0.02 * up
            picture.disc((wheel[0], wheel[1]), 0.02, GREY)
        return picture.array()


def _observe(state: MountainCarState) -> chex.Array:
    return jnp.stack([state.position, state.velocity])


def _height(position: float) -> float:
    """Of the hill as it is drawn, with less than half of its steepness."""
    return 0.45 * math.sin(3 * position) + 0.3
