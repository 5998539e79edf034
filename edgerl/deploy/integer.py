"""The integer arithmetic of the device, stated once, in JAX: what TFLM's int8 kernels compute, bit for bit.

TFLM (TensorFlow Lite for Microcontrollers) scales an int32 accumulator by a fixed-point multiplier in two roundings:
gemmlowp's `SaturatingRoundingDoublingHighMul`, then `RoundingDivideByPOT`. TensorFlow Lite on a host rounds once, so
the two differ now and then. JAX has no 64-bit integers by default; the product is made of 32-bit pieces.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

MAX_FLOAT_TERMS = 512  # products of int9 × int8 that a float32 can add exactly: 512 · 255 · 128 < 2^24
ACCUMULATOR_LIMIT = 2**29  # `rounding_doubling_high_mul` needs accumulators (shifted left) below this in magnitude
HALF_STEP_LIMIT = 2.0**20  # observations are clamped here, in half steps, before they become integers


def largest_accumulators(weights: np.ndarray, bias: np.ndarray, zero: int) -> np.ndarray:
    """int64 [out]: a bound on the magnitude of each accumulator over all int8 inputs.

    Args:
      weights: int8 [out, ...].
      bias: int32 [out].
      zero: the zero point of the input.
    """
    reach = max(127 - zero, 128 + zero)
    total = np.abs(weights.astype(np.int64)).reshape(len(weights), -1).sum(axis=1)
    return total * reach + np.abs(bias.astype(np.int64))


def quantise(obs: chex.Array, gain: chex.Array, offset: chex.Array) -> chex.Array:
    """int8 [..., n] of float32 observations [..., n]: round(gain · obs / 2) + offset, saturated to [-128, 127].

    Halves are rounded away from zero. NaN is taken as an observation of 0; ±inf saturates. The product is the only
    float operation, so no compiler can contract it with an addition and change the last bit.

    Args:
      gain: float32 [n], half steps per unit of the observation.
      offset: int32 [n], the integer that an observation of 0 becomes.
    """
    scaled = obs * gain
    scaled = jnp.where(jnp.isnan(scaled), 0.0, jnp.clip(scaled, -HALF_STEP_LIMIT, HALF_STEP_LIMIT))
    half_steps = scaled.astype(jnp.int32)  # towards zero
    steps = jax.lax.div(half_steps + jnp.where(half_steps < 0, -1, 1), jnp.int32(2))
    return jnp.clip(steps + offset, -128, 127).astype(jnp.int8)


def high_mul(a: chex.Array, b: chex.Array) -> chex.Array:
    """floor(a · b / 2^32) for int32 `a` and int32 `b` ≥ 0, in 32-bit pieces."""
    a_high, a_low = a >> 16, a & 0xFFFF
    b_high, b_low = b >> 16, b & 0xFFFF
    low = a_low.astype(jnp.uint32) * b_low.astype(jnp.uint32)
    middle = a_high * b_low + (low >> 16).astype(jnp.int32)
    carry = (middle & 0xFFFF) + a_low * b_high
    return a_high * b_high + (middle >> 16) + (carry >> 16)


def rounding_doubling_high_mul(a: chex.Array, b: chex.Array) -> chex.Array:
    """round(a · b / 2^31), halves up: gemmlowp's SaturatingRoundingDoublingHighMul for |a| < 2^29 and 0 ≤ b < 2^31.

    With |a| < 2^29 the product fits two bits lower, so that the rounding bit is at hand; saturation cannot happen.
    """
    return (high_mul(a << 2, b) + 1) >> 1


def rounding_divide_by_pot(x: chex.Array, exponent: chex.Array) -> chex.Array:
    """round(x / 2^exponent), halves away from zero: gemmlowp's RoundingDivideByPOT, 0 ≤ exponent ≤ 31."""
    mask = jnp.where(exponent > 30, 0x7FFFFFFF, (1 << jnp.minimum(exponent, 30)) - 1)
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + ((x & mask) > threshold)


def requantise(accumulator: chex.Array, multiplier: chex.Array, shift: chex.Array) -> chex.Array:
    """accumulator · multiplier · 2^(shift - 31) as TFLM rounds it; `shift` > 0 shifts left first. int32."""
    left, right = jnp.maximum(shift, 0), jnp.maximum(-shift, 0)
    return rounding_divide_by_pot(rounding_doubling_high_mul(accumulator << left, multiplier), right)


def accumulate(x: chex.Array, weights: chex.Array, bias: chex.Array) -> chex.Array:
    """int32 x [..., in] @ weights [in, out] + bias [out], for |x| ≤ 255 and int8 weights.

    Up to MAX_FLOAT_TERMS inputs every partial sum is an integer that float32 holds, so the exact sum comes from the
    float matrix product, which is many times faster than the integer one on CPUs.
    """
    if weights.shape[0] > MAX_FLOAT_TERMS:
        return jnp.dot(x, weights.astype(jnp.int32)) + bias
    product = jnp.dot(x.astype(jnp.float32), weights.astype(jnp.float32), precision=jax.lax.Precision.HIGHEST)
    return product.astype(jnp.int32) + bias
