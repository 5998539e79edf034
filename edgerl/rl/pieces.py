"""Minibatches that do not fit into a processor's cache, learnt from piece by piece."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from edgerl.rl.config import PPOConfig

_FLOAT = 4  # bytes
_PIECE = 2**18  # bytes of one layer's activations: a few such arrays fit into the second cache of a core
_LEAST = 4  # pieces, below which a minibatch stays whole


def pieces(config: PPOConfig, samples: int) -> int:
    """In how many pieces a minibatch is learnt from: on a processor, where a layer's activations are large.

    A power of two that divides the samples (sequences, of networks with memory, are not cut up).
    """
    if jax.default_backend() != "cpu" or config.gru_size:
        return 1
    wanted, count = samples * max((*config.hidden_sizes, 1)) * _FLOAT / _PIECE, 1
    while count < wanted and samples % (2 * count) == 0:
        count *= 2
    return count if count >= _LEAST else 1


def mean_over(function: Callable[[Any], Any], batch: Any, count: int) -> Any:
    """`function(batch)`, the mean over the samples along the last axis, piece by piece; rounds otherwise than whole."""
    if count == 1:
        return function(batch)
    cut = jax.tree.map(lambda x: _cut(x, count), batch)
    first = jax.tree.map(jnp.zeros_like, jax.eval_shape(function, jax.tree.map(lambda x: x[0], cut)))

    def add(total: Any, part: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, function(part)), None

    return jax.tree.map(lambda x: x / count, jax.lax.scan(add, first, cut)[0])


def each(function: Callable[[jax.Array], jax.Array], x: jax.Array, count: int) -> jax.Array:
    """`function(x)` [samples] of `x` [..., samples], piece by piece; whole where they cannot be divided."""
    return function(x) if x.shape[-1] % count else jax.lax.map(function, _cut(x, count)).reshape(-1)


def _cut(x: jax.Array, count: int) -> jax.Array:
    return jnp.moveaxis(x.reshape(*x.shape[:-1], count, -1), -2, 0)
