"""PPO's loss, one idea a function. Unbatched but for `normalised` and `ppo_loss`."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct

from edgerl.rl.config import PPOConfig
from edgerl.rl.heads import Head
from edgerl.rl.share import ALONE, Share


@struct.dataclass
class Minibatch:
    """One step as PPO learns from it."""

    obs: chex.Array
    action: chex.Array  # as the head keeps it
    log_prob: chex.Array  # of the action, by the policy that took it
    value: chex.Array  # of the observation, by the value function of that time
    advantage: chex.Array
    target: chex.Array  # what the value should have been
    ended: chex.Array | None = None  # of sequences with memory: whether the episode ended with the step
    memory: Any = None  # of those: what was remembered before the first step


def clipped_surrogate(ratio: chex.Array, advantage: chex.Array, clip: chex.Numeric) -> chex.Array:
    """`min(ratio A, clip(ratio, 1 - c, 1 + c) A)`, to be maximised.

    Reference: Schulman et al., "Proximal Policy Optimization Algorithms", 2017, equation 7.

    Args:
      ratio: probability of the action now over its probability when it was taken.
      advantage: `A`.
      clip: `c`.
    """
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)


def value_error(
    value: chex.Array, old_value: chex.Array, target: chex.Array, clip: chex.Numeric | None = None
) -> chex.Array:
    """Half of the squared error. With `clip`, the larger of it and that of the value moved by `clip` at most."""
    error = jnp.square(value - target)
    if clip is not None:
        near = old_value + jnp.clip(value - old_value, -clip, clip)
        error = jnp.maximum(error, jnp.square(near - target))
    return error / 2


def normalised(advantages: chex.Array, share: Share = ALONE) -> chex.Array:
    """Mean 0 and standard deviation 1 over the batch [B], of which this may be a device's share."""
    centred = advantages - share.mean(jnp.mean(advantages))
    return centred / (jnp.sqrt(share.mean(jnp.mean(jnp.square(centred)))) + 1e-8)


PARTS = ("policy_loss", "value_loss", "entropy", "approximate_kl", "clip_fraction")


def total(parts: chex.Array, config: PPOConfig) -> chex.Array:
    """The loss from its parts float32 [..., PARTS]."""
    return parts[..., 0] + config.value_coefficient * parts[..., 1] - config.entropy_coefficient * parts[..., 2]


def ppo_loss(
    head: Head,
    parameters: chex.Array,
    values: chex.Array,
    batch: Minibatch,
    config: PPOConfig,
    value_scale: chex.Numeric,
) -> tuple[chex.Array, chex.Array]:
    """Mean loss of a minibatch, and the means float32 [PARTS] of what it is made of.

    Args:
      head: what the parameters and the actions mean.
      parameters: float32 [parameters, B], of the policy's distributions now.
      values: float32 [B], the value function's now.
      batch: fields [..., B], the advantages normalised.
      value_scale: the size of the returns.
    """

    def one(parameters: chex.Array, value: chex.Array, sample: Minibatch) -> chex.Array:
        log_prob, entropy = head.log_prob_and_entropy(parameters, sample.action)
        log_ratio = log_prob - sample.log_prob
        ratio = jnp.exp(log_ratio)
        # In units of `value_scale`, so that the loss's weight means the same at any size of the returns.
        now, then, target = (x / value_scale for x in (value, sample.value, sample.target))
        return jnp.stack(
            [
                -clipped_surrogate(ratio, sample.advantage, config.clip),
                value_error(now, then, target, config.clip if config.clip_value else None),
                entropy,
                # Schulman, "Approximating KL Divergence", 2020: unbiased, and never negative.
                ratio - 1 - log_ratio,
                (jnp.abs(ratio - 1) > config.clip).astype(jnp.float32),
            ]
        )

    parts = jnp.mean(jax.vmap(one, in_axes=-1, out_axes=-1)(parameters, values, batch), axis=-1)
    return total(parts, config), parts
