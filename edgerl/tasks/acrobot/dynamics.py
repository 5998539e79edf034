"""How two linked rods move under a torque at their joint.

Sutton & Barto's book (1998, section 11.3), whose names the equations keep, as Gymnasium has it: one step of Runge &
Kutta's fourth order between two observations. (Sutton's paper of 1996 leaves out a term of the second acceleration.)
"""

import math

import chex
from flax import struct

from edgerl.simulator.trigonometry import sincos

Motion = tuple[chex.Array, chex.Array, chex.Array, chex.Array]  # both angles and both velocities, or their derivatives


@struct.dataclass
class AcrobotParams:
    """Physical constants; any field may be an array under `vmap`, which spaces do not follow."""

    gravity: float = 9.8  # m/s²
    link_length: float = 1.0  # m, of the first link; the second one's does not matter to the motion
    link_mass_1: float = 1.0  # kg
    link_mass_2: float = 1.0  # kg
    link_centre_1: float = 0.5  # m from a link's upper end to its centre of mass
    link_centre_2: float = 0.5  # m
    link_inertia: float = 1.0  # kg m², of either link about its centre of mass
    torque: float = 1.0  # N m
    max_speed_1: float = 4 * math.pi  # rad/s
    max_speed_2: float = 9 * math.pi  # rad/s
    goal_height: float = 1.0  # m above the hinge, for links of 1 m
    tau: float = 0.2  # s between observations
    max_steps_in_episode: int = 500


def runge_kutta(p: AcrobotParams, before: Motion, torque: chex.Array) -> Motion:
    """The motion after `p.tau` seconds under one torque in N m; angles and velocities are not bounded."""

    def after(seconds: chex.Numeric, slope: Motion) -> Motion:
        return tuple(x + seconds * d for x, d in zip(before, slope, strict=True))  # type: ignore[return-value]

    first = derivative(p, before, torque)
    second = derivative(p, after(p.tau / 2, first), torque)
    third = derivative(p, after(p.tau / 2, second), torque)
    fourth = derivative(p, after(p.tau, third), torque)
    slopes = zip(first, second, third, fourth, strict=True)
    return after(p.tau / 6, tuple(a + 2 * (b + c) + d for a, b, c, d in slopes))  # type: ignore[arg-type]


def derivative(p: AcrobotParams, motion: Motion, torque: chex.Array) -> Motion:
    """Velocities (rad/s) and accelerations (rad/s²) of both angles."""
    theta1, theta2, theta1_dot, theta2_dot = motion
    (sin1, cos1), (sin2, cos2) = sincos(theta1), sincos(theta2)
    coupling = p.link_mass_2 * p.link_length * p.link_centre_2
    second = p.link_mass_2 * p.link_centre_2**2 + p.link_inertia  # inertia of the second link about the joint
    first = p.link_mass_1 * p.link_centre_1**2 + p.link_mass_2 * p.link_length**2 + p.link_inertia
    d1 = first + second + 2 * coupling * cos2
    d2 = second + coupling * cos2
    phi2 = p.link_mass_2 * p.link_centre_2 * p.gravity * (sin1 * cos2 + cos1 * sin2)
    weight = (p.link_mass_1 * p.link_centre_1 + p.link_mass_2 * p.link_length) * p.gravity
    phi1 = weight * sin1 + phi2 - coupling * sin2 * theta2_dot * (theta2_dot + 2 * theta1_dot)
    share = d2 / d1
    theta2_acc = (torque + share * phi1 - coupling * sin2 * theta1_dot**2 - phi2) / (second - share * d2)
    theta1_acc = -(d2 * theta2_acc + phi1) / d1
    return theta1_dot, theta2_dot, theta1_acc, theta2_acc
