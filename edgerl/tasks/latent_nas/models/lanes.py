"""Layers of one network, or of many lanes at once: the lanes are the last axis."""

import chex


def affine(kernel: chex.Array, bias: chex.Array, x: chex.Array) -> chex.Array:
    """float32 [out, ...] for a kernel [out, in], a bias [out] and x [in, ...]."""
    return plus(kernel @ x, bias)


def plus(x: chex.Array, bias: chex.Array) -> chex.Array:
    """x [out, ...] with bias [out] added along the first axis."""
    return x + bias.reshape(-1, *(1,) * (x.ndim - 1))
