"""TFLM's int8 softmax in JAX, bit for bit: exponentials from a table, then one reciprocal a row (gemmlowp, 2015).

Inputs are compared with the row's largest, so an exponential takes one of 256 arguments and is looked up. Numbers are
raw fixed point: Qi holds i integer bits and 31 - i fractional bits in an int32.
"""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.deploy import tables
from edgerl.deploy.integer import high_mul, rounding_divide_by_pot
from edgerl.deploy.network import Quantisation, quantise_multiplier

OUTPUT = Quantisation(np.float32(1 / 256), -128)  # fixed by TFLite's int8 specification
_DIFFERENCE_BITS = 5  # differences from the largest input are Q5: (-32, 0]
_SUM_BITS = 12  # sums of exponentials are Q12: up to 4,095 classes
_ONE = 2**31 - 1  # 1 in Q0, as near as it gets


def softmax_tables(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """exp(-scale · d) in Q0 for d = 0 … 255, int32 [256], and which of them count as more than 0, bool [256]."""
    real = min(float(np.float32(scale)) * 2 ** (31 - _DIFFERENCE_BITS), 2.0**31 - 1)
    multiplier, shift = quantise_multiplier(real)
    radius = math.floor((2**_DIFFERENCE_BITS - 1) * 2.0 ** (31 - _DIFFERENCE_BITS - shift))
    difference = -np.arange(256, dtype=np.int64)
    exponentials = tables.exp_on_negative(tables.mul(difference << max(shift, 0), multiplier), _DIFFERENCE_BITS)
    return exponentials.astype(np.int32), difference >= -radius


@jax.jit
def softmax(x: chex.Array, exponentials: chex.Array, counted: chex.Array) -> chex.Array:
    """int8 [..., C] of int8 x [..., C], in units of `OUTPUT`, with `softmax_tables` of the input's scale."""
    distance = x.astype(jnp.int32).max(-1, keepdims=True) - x
    exponential, inside = jnp.asarray(exponentials)[distance], jnp.asarray(counted)[distance]
    total = jnp.where(inside, rounding_divide_by_pot(exponential, jnp.int32(_SUM_BITS)), 0).sum(-1, keepdims=True)
    headroom = jax.lax.clz(total)  # the sum is at least 1, that of the largest input
    reciprocal = _one_over_one_plus((total << headroom) ^ jnp.int32(-(2**31)))
    share = rounding_divide_by_pot(_mul(reciprocal, exponential), jnp.minimum(_SUM_BITS - headroom + 23, 31))
    return jnp.where(inside, jnp.clip(share - 128, -128, 127), -128).astype(jnp.int8)


def _mul(a: chex.Array, b: chex.Array) -> chex.Array:
    """round(a · b / 2^31), halves up, for any int32 `a` and 0 ≤ b: from the two words of the product."""
    low = (a.astype(jnp.uint32) * b.astype(jnp.uint32)) >> 30
    return 2 * high_mul(a, b) + ((low + 1) >> 1).astype(jnp.int32)


def _one_over_one_plus(a: chex.Array) -> chex.Array:
    """1 / (1 + a) in Q0 for a in [0, 1) in Q0: three Newton-Raphson steps on half the denominator, in Q2."""
    half_denominator = (a >> 1) + (1 << 30)  # rounding half up of (a + 1 - 2^-31) / 2
    x = tables.NEWTON_START + _mul(jnp.int32(tables.NEWTON_SLOPE), half_denominator)
    for _ in range(3):
        x = x + (_mul((1 << 29) - _mul(half_denominator, x), x) << 2)
    return jnp.where(x > _ONE >> 1, _ONE, x << 1)
