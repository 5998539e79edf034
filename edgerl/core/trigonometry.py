"""Sine and cosine that the compiler vectorises: polynomials after a range reduction, without a library call.

Source: the minimax coefficients of Cephes' `sinf` and `cosf`, on [-pi/4, pi/4].
"""

import chex
import jax.numpy as jnp

# pi/2 in three parts whose products with a small integer are exact in float32 (Cody & Waite).
_PI_2 = (1.5703125, 4.837512969970703125e-4, 7.549789948768648e-8)
_SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)


def sincos(x: chex.Array) -> tuple[chex.Array, chex.Array]:
    """(sin x, cos x) in float32, to about 1e-7 absolute for |x| up to a few thousand radians."""
    x = jnp.asarray(x, jnp.float32)
    turns = jnp.round(x * (2 / jnp.pi))
    r = x
    for part in _PI_2:
        r = r - turns * part
    r2 = r * r
    sin = r + r * r2 * (_SIN[2] + r2 * (_SIN[1] + r2 * _SIN[0]))
    cos = 1 - 0.5 * r2 + r2 * r2 * (_COS[2] + r2 * (_COS[1] + r2 * _COS[0]))
    quadrant = turns.astype(jnp.int32)
    swap = (quadrant & 1) == 1
    sin, cos = jnp.where(swap, cos, sin), jnp.where(swap, sin, cos)
    return jnp.where((quadrant & 2) == 2, -sin, sin), jnp.where(((quadrant + 1) & 2) == 2, -cos, cos)
