"""The queue: ages float32 [places] of frames waiting, newest first, infinite where there is none."""

import chex
import jax.numpy as jnp


def count(ages: chex.Array) -> chex.Array:
    """int32 scalar: frames waiting."""
    return jnp.sum(jnp.isfinite(ages)).astype(jnp.int32)


def oldest(ages: chex.Array) -> chex.Array:
    """The largest age, infinite where no frame waits."""
    found = jnp.max(jnp.where(jnp.isfinite(ages), ages, -1.0))
    return jnp.where(found < 0, jnp.inf, found)


def take(ages: chex.Array, waiting: chex.Array, newest: chex.Array) -> tuple[chex.Array, chex.Array]:
    """(age of the frame taken, the others' ages); which: the newest or the oldest. One waits at least."""
    behind = jnp.where(jnp.arange(ages.shape[0]) == waiting - 1, jnp.inf, ages)
    ahead = jnp.concatenate([ages[1:], jnp.full(1, jnp.inf, ages.dtype)])
    return jnp.where(newest, ages[0], oldest(ages)), jnp.where(newest, ahead, behind)


def add(ages: chex.Array, new: chex.Array, joins: chex.Array) -> tuple[chex.Array, chex.Array]:
    """(ages with new frames among them, float32 how many the full queue pushed out, the oldest first).

    Args:
      new: ages [n] of what arrived, falling; joins: bool [n], which of them count.
    """
    pushed = jnp.float32(0)
    for age, joined in zip(new, joins, strict=True):
        pushed = pushed + (joined & jnp.isfinite(ages[-1]))
        ages = jnp.where(joined, jnp.concatenate([age[None], ages[:-1]]), ages)
    return ages, pushed


def expire(ages: chex.Array, oldest_age: chex.Numeric) -> tuple[chex.Array, chex.Array]:
    """(ages without frames that are too old, float32 how many those are)."""
    late = jnp.isfinite(ages) & (ages > oldest_age)
    return jnp.where(late, jnp.inf, ages), jnp.sum(late).astype(jnp.float32)
