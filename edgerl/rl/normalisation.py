"""Running statistics of what a training sees, by which observations and values are brought to the size of 1.

They are part of the training's state. An update plays and learns with those that it finds, and leaves new ones behind.
"""

import chex
import jax.numpy as jnp
from flax import struct

from edgerl.rl.config import PPOConfig

_LEAST = 1e-3  # of the scale that was expected: a deviation below it is that of a number which hardly changes


@struct.dataclass
class Moments:
    """Of numbers seen so far, float32: how many, and their mean and mean squared deviation [...]."""

    count: chex.Array
    mean: chex.Array
    variance: chex.Array

    def merged(self, samples: chex.Array) -> "Moments":
        """With samples [..., B] among them.

        Reference: Chan, Golub & LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances",
        1979, equation 2.1.
        """
        share = samples.shape[-1] / (self.count + samples.shape[-1])
        change = jnp.mean(samples, axis=-1) - self.mean
        spread = share * jnp.var(samples, axis=-1) + (1 - share) * self.variance
        return Moments(
            self.count + samples.shape[-1], self.mean + share * change, spread + share * (1 - share) * change**2
        )


@struct.dataclass
class Statistics:
    """Those that a configuration asks for; None where it does not.

    Attributes:
      observations: moments [features].
      returns: moments [] of what values should have been.
    """

    observations: Moments | None
    returns: Moments | None


def start(config: PPOConfig, features: int) -> Statistics | None:
    """Before anything was seen: what the configuration expects. None if it asks for no statistics."""
    if not (config.normalise_observations or config.normalise_returns):
        return None
    scale = jnp.array(config.observation_scale or (1.0,) * features, jnp.float32)
    none, size = jnp.float32(0), jnp.asarray(config.value_scale, jnp.float32)
    return Statistics(
        Moments(none, jnp.zeros(features), scale**2) if config.normalise_observations else None,
        Moments(none, jnp.zeros(()), size**2) if config.normalise_returns else None,
    )


def updated(statistics: Statistics, observations: chex.Array, returns: chex.Array) -> Statistics:
    """With observations [features, B] and what their values should have been [B]."""
    return Statistics(
        None if statistics.observations is None else statistics.observations.merged(observations),
        None if statistics.returns is None else statistics.returns.merged(returns),
    )


def value_scale(config: PPOConfig, statistics: Statistics | None) -> chex.Numeric:
    """The size of the returns: the root of their mean square so far, or what the configuration says."""
    if statistics is None or statistics.returns is None:
        return config.value_scale
    size = jnp.sqrt(statistics.returns.variance + statistics.returns.mean**2)
    return jnp.maximum(size, _LEAST * config.value_scale)


def deviation(moments: Moments, scale: chex.Array) -> chex.Array:
    """float32 [features]: the standard deviation, or the expected scale of a feature that hardly changes."""
    found = jnp.sqrt(moments.variance)
    return jnp.where(found > _LEAST * scale, found, scale)
