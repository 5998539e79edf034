"""Permutations without a sort, for minibatches."""

import chex
import jax
import jax.numpy as jnp

_ROUNDS = 4


def permutation(key: chex.PRNGKey, n: int) -> chex.Array:
    """int32 [n]: the numbers 0 … n - 1 in random order. The key is consumed.

    A keyed bijection of the next power of two, whose values below `n` are kept in their order: a few multiplications
    an element, where `jax.random.permutation` sorts and takes most of a small training's time. It reaches 2^(64 k)
    permutations at most, not all n!; the tests look at single places and at pairs.

    Reference: Mitchell, Stokes, Frank & Holmes, "Bandwidth-Optimal Random Shuffling for GPUs", 2022 (the bijection
    with compaction; the rounds here multiply by odd numbers and shift, modulo the power of two).
    """
    bits = max(1, (n - 1).bit_length())
    mask = jnp.uint32(2**bits - 1)
    words = jax.random.bits(key, (_ROUNDS, 2), jnp.uint32)
    x = jnp.arange(2**bits, dtype=jnp.uint32)
    for multiplier, offset in words:
        x = (x * (multiplier | 1) + offset) & mask
        x = x ^ (x >> (bits + 1) // 2)
    if n < 2**bits:
        x = x[jnp.nonzero(x < n, size=n)[0]]
    return x.astype(jnp.int32)
