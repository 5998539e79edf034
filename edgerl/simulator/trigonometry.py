"""Sine and cosine that the compiler vectorises: polynomials after one range reduction, without a library call.

Both polynomials hold on [-pi/2, pi/2], so that one multiple of pi is taken off and only a sign is left to fix.
Source: least-maximum fits (Remez) of sin(r)/r and cos(r) in r², made for this file; the split of pi is Cody & Waite's.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.simulator.xla import Trick, in_one_loop, uses

# pi in two parts, of which the first's product with a small integer is exact in float32.
_PI = (3.140625, 9.676535897932e-4)
_ROUNDER = np.float32(1.5 * 2**23)
_SIN = (0.9999999764737512, -0.1666664755924616, 0.008332898539255373, -0.00019800818437851742, 2.5903277398936104e-06)
_COS = (0.999999953289469, -0.49999905001339323, 0.04166357599619904, -0.0013853637567453412, 2.3152373887832862e-05)


def sincos(x: chex.Array) -> tuple[chex.Array, chex.Array]:
    """(sin x, cos x) in float32, to 2e-7 absolute for |x| up to a few thousand radians."""
    x = jnp.asarray(x, jnp.float32)
    if not uses(Trick.SINCOS):
        return jnp.sin(x), jnp.cos(x)
    # Added to so large a number, the fraction is rounded away and the whole part stands in the lowest bits.
    bits = jax.lax.bitcast_convert_type(x * np.float32(1 / np.pi) + _ROUNDER, jnp.int32)
    half_turns = (bits - _ROUNDER.view(np.int32)).astype(jnp.float32)
    r = x
    for part in _PI:
        r = r - half_turns * part
    square = r * r
    sin, cos = r * _polynomial(_SIN, square), _polynomial(_COS, square)
    # An odd number of half turns flips both signs: its lowest bit becomes the sign bit.
    flip = bits << 31
    # Whatever follows reads both of them: the compiler would compute them again for each array that it makes of them.
    return in_one_loop((_flip(sin, flip), _flip(cos, flip)))


def direction(angle: chex.Array) -> tuple[chex.Array, chex.Array]:
    """(cosine, sine) of an angle in radians, as `sincos` has them, but never outside of [-1, 1].

    The polynomials overshoot by a last digit, which a simulation may; an observation would lie outside its space.
    """
    sin, cos = sincos(angle)
    return jnp.clip(cos, -1.0, 1.0), jnp.clip(sin, -1.0, 1.0)


def wrapped(angle: chex.Array) -> chex.Array:
    """The angle in radians less its whole turns, in float32.

    Returns:
      The same direction between -pi and pi, to 1e-6 for |angle| up to a few hundred radians.

    Example:
      >>> float(wrapped(jnp.float32(3.5)))  # 3.5 - 2 pi
      -2.78318...
    """
    angle = jnp.asarray(angle, jnp.float32)
    turns = jnp.round(angle * np.float32(0.5 / np.pi))
    for part in _PI:
        angle = angle - turns * (2 * part)
    return angle


def _polynomial(coefficients: tuple[float, ...], x: chex.Array) -> chex.Array:
    """Of degree four, lowest power first, by Estrin's scheme: what waits for x waits half as long as by Horner's."""
    c0, c1, c2, c3, c4 = (np.float32(c) for c in coefficients)
    square = x * x
    return (c0 + c1 * x) + square * ((c2 + c3 * x) + square * c4)


def _flip(x: chex.Array, sign: chex.Array) -> chex.Array:
    return jax.lax.bitcast_convert_type(jax.lax.bitcast_convert_type(x, jnp.int32) ^ sign, jnp.float32)
