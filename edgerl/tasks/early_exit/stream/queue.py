"""The queue: ages of frames waiting, one float32 scalar a place, newest first, infinite where there is none.

Scalars and no array of places: lanes of scalars are plain vectors.
"""

import functools

import chex
import jax.numpy as jnp

Ages = tuple[chex.Array, ...]


def count(ages: Ages) -> chex.Array:
    """int32 scalar: frames waiting."""
    return functools.reduce(jnp.add, [(age < jnp.inf).astype(jnp.int32) for age in ages])


def oldest(ages: Ages) -> chex.Array:
    """The largest age, infinite where no frame waits."""
    found = ages[0]
    for age in ages[1:]:
        found = jnp.where(age < jnp.inf, age, found)
    return found


def take(ages: Ages, newest: chex.Array) -> Ages:
    """The ages of the others when the newest or the oldest frame is taken, one of which waits at least."""
    none = jnp.full_like(ages[0], jnp.inf)
    after = (*ages[1:], none)
    # The oldest is the one behind which none is.
    behind = (jnp.where(next < jnp.inf, age, none) for age, next in zip(ages, after, strict=True))
    return tuple(jnp.where(newest, a, b) for a, b in zip(after, behind, strict=True))


def add(ages: Ages, new: Ages, joins: tuple[chex.Array, ...]) -> tuple[Ages, chex.Array]:
    """(ages with new frames among them, float32 how many the full queue pushed out, the oldest first).

    Args:
      new: ages of what arrived, falling; joins: which of them count, bool scalars.
    """
    pushed = jnp.zeros_like(ages[0])
    for age, joined in zip(new, joins, strict=True):
        pushed = pushed + jnp.where(joined & (ages[-1] < jnp.inf), 1.0, 0.0)
        ages = tuple(jnp.where(joined, a, b) for a, b in zip((age, *ages[:-1]), ages, strict=True))
    return ages, pushed


def expire(ages: Ages, oldest_age: chex.Numeric) -> tuple[Ages, chex.Array]:
    """(ages without frames that are too old, float32 how many those are)."""
    late = [(age < jnp.inf) & (age > oldest_age) for age in ages]
    kept = tuple(jnp.where(x, jnp.inf, age) for x, age in zip(late, ages, strict=True))
    return kept, functools.reduce(jnp.add, [jnp.where(x, 1.0, 0.0) for x in late])
