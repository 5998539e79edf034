"""Several arrays as results of one operation, which XLA on a CPU then computes in one loop; see `xla.in_one_loop`."""

from typing import Any

import jax
import jax.numpy as jnp


@jax.custom_jvp
def as_results_of_one(arrays: list[jax.Array]) -> list[jax.Array]:
    """Each array plus a zero, all as results of one reduction."""
    if len(arrays) == 1:
        return arrays
    shape = (2, *arrays[0].shape)
    # 1, which LLVM knows and XLA does not: XLA would leave the reduction out.
    one = (2 + (_word(arrays[0]) & 1)) >> 1
    real = jax.lax.broadcasted_iota(jnp.int32, shape, 0) < jnp.broadcast_to(one, shape)
    # -0 and not 0, which would turn -0 into 0.
    zeros = [x.dtype.type(-0.0 if _is_float(x) else 0) for x in arrays]
    operands = [jnp.where(real, jnp.broadcast_to(x, shape), zero) for x, zero in zip(arrays, zeros, strict=True)]
    return list(jax.lax.reduce(tuple(operands), tuple(zeros), _sum, (0,)))


def _sum(first: tuple[jax.Array, ...], second: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    return tuple(a + b if _is_float(a) else a | b for a, b in zip(first, second, strict=True))


def _word(x: jax.Array) -> jax.Array:
    """int32 of x's bits, whatever they mean."""
    if x.dtype != bool:
        x = jax.lax.bitcast_convert_type(x, jnp.dtype(f"uint{8 * x.dtype.itemsize}"))
    return x.astype(jnp.int32)


def is_number(x: jax.Array) -> bool:
    """Whether these are numbers or booleans: no random keys, no complex numbers."""
    return any(jnp.issubdtype(x.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))


def _is_float(x: jax.Array) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


@as_results_of_one.defjvp
def _jvp(primals: Any, tangents: Any) -> Any:
    return as_results_of_one(*primals), tangents[0]
