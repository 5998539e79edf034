"""Random bits to numbers, in few operations that vector units know."""

import chex
import jax.numpy as jnp


def unit(bits: chex.Array) -> chex.Array:
    """float32 in [0, 1) of uint32."""
    return (bits >> 8).astype(jnp.int32).astype(jnp.float32) * jnp.float32(2**-24)


def between(fraction: chex.Array, low: chex.Numeric, high: chex.Numeric) -> chex.Array:
    """From `low` to `high`, evenly in the logarithm."""
    return low * jnp.exp(fraction * jnp.log(high / low))


def below(bits: chex.Array, n: int) -> chex.Array:
    """int32 in [0, n): the high word of 32 random bits times n, uniform to within n / 2³²."""
    low, high = bits & 0xFFFF, bits >> 16
    n_low, n_high = jnp.uint32(n & 0xFFFF), jnp.uint32(n >> 16)
    middle = high * n_low + ((low * n_low) >> 16)
    if n < 2**16:
        return (middle >> 16).astype(jnp.int32)
    carry = (middle & 0xFFFF) + low * n_high
    return (high * n_high + (middle >> 16) + (carry >> 16)).astype(jnp.int32)
