"""A policy to compare a learnt one with."""

import chex
import jax.numpy as jnp

_FORCE = 0.3  # of at most 1: a stronger push arrives sooner and costs more, a weaker one may not arrive in time


def energy_pumping(key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
    """Pushes the way that the car rolls, so that every swing carries it higher; bang-bang, with little force.

    Args:
      key: not used.
      obs: float32 [2]: position (m), velocity (m a step).
    Returns:
      float32 [1]: -0.3 or 0.3.
    """
    del key
    return jnp.where(obs[1] >= 0, _FORCE, -_FORCE)[None]
