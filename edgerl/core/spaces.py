"""Spaces: which observations and actions exist. Frozen, hashable, usable inside `jit`."""

import dataclasses
from typing import Protocol

import chex
import jax
import jax.numpy as jnp
import numpy as np


class Space(Protocol):
    """What every space can do."""

    def __hash__(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def sample(self, key: chex.PRNGKey) -> chex.Array:
        """One element, drawn uniformly; the key is consumed."""
        ...

    def contains(self, x: chex.Array) -> chex.Array:
        """Scalar bool: `x` has the space's shape, dtype and bounds."""
        ...


@dataclasses.dataclass(frozen=True)
class Discrete:
    """The integers 0 … n - 1, as int32 scalars."""

    n: int

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.int32)

    def sample(self, key: chex.PRNGKey) -> chex.Array:
        """int32 scalar in [0, n): the high word of 32 random bits times n, uniform to within n / 2³²."""
        if self.n > 2**16:
            return jax.random.randint(key, (), 0, self.n, jnp.int32)
        bits, n = jax.random.bits(key, (), jnp.uint32), jnp.uint32(self.n)
        low = ((bits & 0xFFFF) * n) >> 16
        return (((bits >> 16) * n + low) >> 16).astype(jnp.int32)

    def contains(self, x: chex.Array) -> chex.Array:
        """Scalar bool."""
        x = jnp.asarray(x)
        if x.shape != () or not jnp.issubdtype(x.dtype, jnp.integer):
            return jnp.asarray(False)
        return (x >= 0) & (x < self.n)


@dataclasses.dataclass(frozen=True)
class Box:
    """float32 arrays of one shape between two bounds, each a number or nested tuples of the shape's form."""

    low: float | tuple[float, ...]
    high: float | tuple[float, ...]
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """(low, high), each float32 of the space's shape."""
        low, high = (np.broadcast_to(np.asarray(b, np.float32), self.shape) for b in (self.low, self.high))
        return low, high

    def sample(self, key: chex.PRNGKey) -> chex.Array:
        """float32 of `shape`: uniform where both sides are bounded, standard normal where neither is,
        an exponential step away from the bound where one is (Gymnasium's convention)."""
        low, high = self.bounds()
        below, above = np.isfinite(low), np.isfinite(high)
        uniform_key, normal_key, exponential_key = jax.random.split(key, 3)
        fraction = jax.random.uniform(uniform_key, self.shape, jnp.float32)
        # Halves, so that the width of [-max, max] does not overflow.
        half_low, half_high = (np.where(below & above, bound, 0) / 2 for bound in (low, high))
        uniform = half_high + half_low + (half_high - half_low) * (2 * fraction - 1)
        step = jax.random.exponential(exponential_key, self.shape, jnp.float32)
        one_sided = jnp.where(below, np.where(below, low, 0) + step, np.where(above, high, 0) - step)
        unbounded = jax.random.normal(normal_key, self.shape, jnp.float32)
        return jnp.where(below & above, uniform, jnp.where(below | above, one_sided, unbounded)).astype(jnp.float32)

    def contains(self, x: chex.Array) -> chex.Array:
        """Scalar bool; NaN is outside."""
        x = jnp.asarray(x)
        if x.shape != self.shape or x.dtype != jnp.float32:
            return jnp.asarray(False)
        low, high = self.bounds()
        return jnp.all((x >= low) & (x <= high))
