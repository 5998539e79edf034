"""What the trunk is trained for: first everything together, then the early exits' heads alone."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from edgerl.tasks.early_exit.trunk.config import TrainConfig, network_of
from edgerl.tasks.early_exit.trunk.model import Trunk, TrunkConfig


def early_heads(config: TrunkConfig) -> tuple[str, ...]:
    """The early exits' heads' names in the trunk's parameters."""
    return tuple(f"heads_{i}" for i in range(config.stages - 1))


def joint_loss(config: TrainConfig, params: Any, statistics: Any, x: chex.Array, labels: chex.Array) -> tuple[Any, Any]:
    """(`loss_and_accuracy`'s loss, (new statistics, accuracy [K])) on normalised images [B, S, S, 3]."""
    both = {"params": params, "batch_stats": statistics}
    logits, changed = network_of(config).apply(both, x, train=True, mutable=["batch_stats"])
    loss, accuracy = loss_and_accuracy(config, logits, labels)
    return loss, (changed["batch_stats"], accuracy)


def loss_and_accuracy(config: TrainConfig, logits: chex.Array, labels: chex.Array) -> tuple[chex.Array, chex.Array]:
    """Weighted sum over exits of cross-entropy, mixed at the early exits with the divergence from the last exit.

    The divergence is KL(last || exit) of the softened distributions, times temperature squared (Hinton et al., 2015);
    the last exit gets no gradient from it.

    Args:
      logits: float [B, K, C].
      labels: int [B].
    Returns:
      Loss [] and accuracy [K].
    """
    hard = optax.softmax_cross_entropy_with_integer_labels(logits, labels[:, None])
    soft = jax.nn.log_softmax(logits / config.temperature)
    teacher = jax.lax.stop_gradient(soft[:, -1:])
    divergence = config.temperature**2 * optax.losses.kl_divergence_with_log_targets(soft, teacher)
    exits = logits.shape[1]
    share = config.distillation * (jnp.arange(exits) < exits - 1)
    weights = jnp.linspace(config.first_weight, 1.0, exits)
    accuracy = (logits.argmax(-1) == labels[:, None]).mean(0, dtype=jnp.float32)
    return (weights * ((1 - share) * hard + share * divergence)).mean(0).sum(), accuracy


def heads_loss(config: TrainConfig, params: Any, statistics: Any, x: chex.Array, labels: chex.Array) -> tuple[Any, Any]:
    """As `joint_loss`, but the early heads alone learn, and from the last exit's softened answers alone.

    The trunk and the last exit stand still, their statistics too. `x` is what `mixed` makes; the accuracy is on the
    images that are not mixed.
    """
    network, both = network_of(config), {"params": params, "batch_stats": statistics}
    still = jax.lax.stop_gradient(both)
    answers, changed = [], dict(statistics)
    for i, name in enumerate((*early_heads(config.trunk), "")):
        x = network.apply(still, i, x, method=Trunk.stage)
        if name:
            logits, new = network.apply(both, i, x, True, method=Trunk.head, mutable=["batch_stats"])
            changed[name] = new["batch_stats"][name]
        else:
            logits = network.apply(still, i, x, method=Trunk.head)
        answers.append(logits)
    logits = jnp.stack(answers, axis=1)
    soft = jax.nn.log_softmax(logits / config.head_temperature)
    divergence = optax.losses.kl_divergence_with_log_targets(soft[:, :-1], soft[:, -1:])
    accuracy = (logits.argmax(-1) == labels[:, None])[1::2].mean(0, dtype=jnp.float32)
    return config.head_temperature**2 * divergence.mean(0).sum(), (changed, accuracy)


def mixed(key: chex.PRNGKey, images: chex.Array) -> chex.Array:
    """Every other image [B, S, S, 3], from the first on, mixed with the one before it, in a share drawn uniformly.

    What a mixture shows nobody needs to know where a network teaches, and there is no end of mixtures to learn by
    heart. Beyer et al. (2022), "Knowledge distillation: A good teacher is patient and consistent". The key is consumed.
    """
    share = jax.random.uniform(key, (len(images), 1, 1, 1))
    even = jnp.arange(len(images))[:, None, None, None] % 2 == 0
    return jnp.where(even, share * images + (1 - share) * jnp.roll(images, 1, axis=0), images)
