"""Acrobot as Gymnasium defines it: two links hang from a hinge, and a torque at their joint swings them up. JAX.

Observation: float32 [6] = cosine and sine of the first link's angle, which is 0 where it hangs down, the same of the
second link's angle relative to the first, and both angular velocities (rad/s).
Action: 0, 1 or 2 for a torque of -1, 0 or 1 N m on the second link. Reward: -1 on every step but the one that ends it.
Terminated: the free end is more than one link's length above the hinge. Truncated: the clock ran out after 500 steps.
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
from edgerl.envs.spaces import Box, Discrete
from edgerl.simulator.trigonometry import direction, sincos, wrapped
from edgerl.tasks.acrobot import baselines
from edgerl.tasks.acrobot.dynamics import AcrobotParams, runge_kutta
from edgerl.util.content import ByContent
from edgerl.util.drawing import Picture
from edgerl.util.plots import BLUE, GREY, ORANGE


@struct.dataclass
class AcrobotState:
    """Scalars: angles in [-pi, pi] and angular velocities, float32; the number of steps taken, int32."""

    theta1: chex.Array
    theta2: chex.Array
    theta1_dot: chex.Array
    theta2_dot: chex.Array
    time: chex.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Acrobot(ByContent):
    """The environment; see the module's docstring.

    Example:
      >>> env = edgerl.make("Acrobot-v1")
      >>> obs, state = env.reset(jax.random.key(0))
      >>> obs, state, reward, terminated, truncated, _ = env.step(jax.random.key(1), state, jnp.int32(2))
    """

    observation_names: ClassVar = (
        "cosine of the first link's angle from hanging",
        "sine of the first link's angle from hanging",
        "cosine of the second link's angle to the first",
        "sine of the second link's angle to the first",
        "angular velocity of the first link, rad/s",
        "angular velocity of the second link, rad/s",
    )
    action_names: ClassVar = ("torque -1 N m", "no torque", "torque 1 N m")
    baselines: ClassVar = {"energy_shaping": baselines.energy_shaping}

    id: str = "Acrobot-v1"
    default_params: AcrobotParams = dataclasses.field(default_factory=AcrobotParams)

    def observation_space(self, params: AcrobotParams | None = None) -> Box:
        """Cosines and sines within 1, velocities within the largest."""
        params = self.default_params if params is None else params
        high = (1.0, 1.0, 1.0, 1.0, float(params.max_speed_1), float(params.max_speed_2))
        return Box(tuple(-h for h in high), high, (6,))

    def action_space(self, params: AcrobotParams | None = None) -> Discrete:
        """0, 1, 2: a torque of -1, 0, 1 N m."""
        return Discrete(3)

    def reset(self, key: chex.PRNGKey, params: AcrobotParams | None = None) -> tuple[chex.Array, AcrobotState]:
        """Each of the four values uniform in [-0.1, 0.1)."""
        del params
        start = jax.random.uniform(key, (4,), jnp.float32, minval=-0.1, maxval=0.1)
        state = AcrobotState(start[0], start[1], start[2], start[3], jnp.int32(0))
        return _observe(state), state

    def step(
        self, key: chex.PRNGKey, state: AcrobotState, action: chex.Array, params: AcrobotParams | None = None
    ) -> Step:
        """One step of `params.tau` seconds. Deterministic: the key is not used.

        Args:
          action: int32 scalar, 0 to 2.
        """
        del key
        p = self.default_params if params is None else params
        before = (state.theta1, state.theta2, state.theta1_dot, state.theta2_dot)
        theta1, theta2, theta1_dot, theta2_dot = runge_kutta(p, before, (action - 1) * p.torque)
        state = AcrobotState(
            theta1=wrapped(theta1),
            theta2=wrapped(theta2),
            theta1_dot=jnp.clip(theta1_dot, -p.max_speed_1, p.max_speed_1),
            theta2_dot=jnp.clip(theta2_dot, -p.max_speed_2, p.max_speed_2),
            time=state.time + 1,
        )
        terminated = _height(state) > p.goal_height
        truncated = (state.time >= p.max_steps_in_episode) & ~terminated
        return _observe(state), state, jnp.where(terminated, 0.0, -1.0), terminated, truncated, {}

    def render(self, state: AcrobotState) -> np.ndarray:
        """uint8 [200, 200, 3]: both links, and the height that the free end must reach."""
        picture = Picture(200, (-2.2, -2.2), (2.2, 2.2))
        picture.line([(-2.2, 1.0), (2.2, 1.0)], 0.02, GREY)
        first, second = float(state.theta1), float(state.theta1 + state.theta2)
        elbow = (math.sin(first), -math.cos(first))
        picture.rod((0.0, 0.0), elbow, 0.2, BLUE)
        picture.rod(elbow, (elbow[0] + math.sin(second), elbow[1] - math.cos(second)), 0.2, ORANGE)
        picture.disc((0.0, 0.0), 0.05, GREY)
        return picture.array()


def _observe(state: AcrobotState) -> chex.Array:
    return jnp.stack([*direction(state.theta1), *direction(state.theta2), state.theta1_dot, state.theta2_dot])


def _height(state: AcrobotState) -> chex.Array:
    """Of the free end above the hinge, in links' lengths."""
    (sin1, cos1), (sin2, cos2) = sincos(state.theta1), sincos(state.theta2)
    return -cos1 - (cos1 * cos2 - sin1 * sin2)
