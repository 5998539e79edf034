"""CartPole as Gymnasium defines it (Barto, Sutton & Anderson, 1983; Euler integration), in unbatched JAX.

Observation: float32 [4] = cart position (m), cart velocity (m/s), pole angle (rad), pole angular velocity (rad/s).
Action: 0 pushes left, 1 pushes right. Reward: 1 on every step, the last included.
Terminated: |position| > 2.4 or |angle| > 12°. Truncated: the clock ran out (v0: 200 steps, v1: 500), the pole stands.
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
from edgerl.envs.spaces import Box, Discrete
from edgerl.simulator.trigonometry import sincos
from edgerl.tasks.cartpole import baselines
from edgerl.tasks.cartpole.drawing import cart
from edgerl.util.content import ByContent


@struct.dataclass
class CartPoleParams:
    """Physical constants; any field may be an array under `vmap`. Derived values are properties, never stored."""

    gravity: float = 9.8  # m/s²
    masscart: float = 1.0  # kg
    masspole: float = 0.1  # kg
    length: float = 0.5  # m, half the pole's length
    force_mag: float = 10.0  # N
    tau: float = 0.02  # s between observations
    theta_threshold_radians: float = 12 * 2 * math.pi / 360
    x_threshold: float = 2.4  # m
    max_steps_in_episode: int = 500

    @property
    def total_mass(self) -> chex.Numeric:
        return self.masscart + self.masspole

    @property
    def polemass_length(self) -> chex.Numeric:
        return self.masspole * self.length


@struct.dataclass
class CartPoleState:
    """Scalars: four float32 and the number of steps taken, int32."""

    x: chex.Array
    x_dot: chex.Array
    theta: chex.Array
    theta_dot: chex.Array
    time: chex.Array


@dataclasses.dataclass(frozen=True, eq=False)
class CartPole(ByContent):
    """The environment; see the module's docstring."""

    observation_names: ClassVar = (
        "cart position, m",
        "cart velocity, m/s",
        "pole angle from upright, rad",
        "pole angular velocity, rad/s",
    )
    action_names: ClassVar = ("push left", "push right")
    baselines: ClassVar = {"linear_controller": baselines.linear_controller}

    id: str
    default_params: CartPoleParams = dataclasses.field(default_factory=CartPoleParams)

    def observation_space(self, params: CartPoleParams | None = None) -> Box:
        """Twice the limits for position and angle, as Gymnasium; velocities are unbounded."""
        params = self.default_params if params is None else params
        x, theta = 2 * float(params.x_threshold), 2 * float(params.theta_threshold_radians)
        high = (x, math.inf, theta, math.inf)
        return Box(tuple(-h for h in high), high, (4,))

    def action_space(self, params: CartPoleParams | None = None) -> Discrete:
        """0: left, 1: right."""
        return Discrete(2)

    def reset(self, key: chex.PRNGKey, params: CartPoleParams | None = None) -> tuple[chex.Array, CartPoleState]:
        """Each of the four values uniform in [-0.05, 0.05)."""
        start = jax.random.uniform(key, (4,), jnp.float32, minval=-0.05, maxval=0.05)
        state = CartPoleState(start[0], start[1], start[2], start[3], jnp.int32(0))
        return _observe(state), state

    def step(
        self, key: chex.PRNGKey, state: CartPoleState, action: chex.Array, params: CartPoleParams | None = None
    ) -> Step:
        """One Euler step of `params.tau` seconds. Deterministic: the key is not used."""
        del key
        p = self.default_params if params is None else params
        per_mass = 1 / p.total_mass  # one division for three: it does not depend on the state
        push = p.force_mag * per_mass
        sin, cos = sincos(state.theta)  # jnp.sin and jnp.cos do as well: these are faster on a CPU
        temp = jnp.where(action == 1, push, -push) + p.polemass_length * per_mass * state.theta_dot**2 * sin
        torque = p.gravity * sin - cos * temp
        theta_acc = torque / (p.length * (4.0 / 3.0 - p.masspole * per_mass * cos**2))
        x_acc = temp - p.polemass_length * per_mass * theta_acc * cos
        state = CartPoleState(
            x=state.x + p.tau * state.x_dot,
            x_dot=state.x_dot + p.tau * x_acc,
            theta=state.theta + p.tau * state.theta_dot,
            theta_dot=state.theta_dot + p.tau * theta_acc,
            time=state.time + 1,
        )
        terminated = (jnp.abs(state.x) > p.x_threshold) | (jnp.abs(state.theta) > p.theta_threshold_radians)
        truncated = (state.time >= p.max_steps_in_episode) & ~terminated
        return _observe(state), state, jnp.float32(1), terminated, truncated, {}

    def render(self, state: CartPoleState) -> np.ndarray:
        """uint8 [150, 420, 3]: the cart on its track, with the pole."""
        return cart(float(state.x), float(state.theta))


def _observe(state: CartPoleState) -> chex.Array:
    return jnp.stack([state.x, state.x_dot, state.theta, state.theta_dot])


# Of a run without velocities, which need a memory.
_WITH_MEMORY = {
    "ppo": {
        "num_steps": 64,
        "num_updates": 120,
        "num_minibatches": 8,
        "hidden_sizes": [],
        "gru_size": 16,
        "activation": "tanh",
        "observation_scale": [2.4, 0.2],
        "learning_rate": 5e-3,
        "entropy_coefficient": 0.0,
        "value_scale": 30.0,
    }
}


def cartpole_v0() -> CartPole:
    """200 steps at most; solved at a mean return of 195."""
    return CartPole("CartPole-v0", CartPoleParams(max_steps_in_episode=200))


def cartpole_v1(velocities: bool = True) -> Environment:
    """500 steps at most; solved at a mean return of 475. Without velocities it is "PositionOnlyCartPole-v1", which
    observes the cart's position and the pole's angle alone."""
    env = CartPole("CartPole-v1")
    return env if velocities else Masked(env, f"PositionOnly{env.id}", kept=(0, 2), training=_WITH_MEMORY)


def position_only_cartpole_v1() -> Environment:
    """`cartpole_v1(velocities=False)`, as an id of its own, which commands and run folders can name."""
    return cartpole_v1(velocities=False)
