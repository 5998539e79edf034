"""Spaces: which observations and actions exist. Frozen, hashable, usable inside `jit`."""

import dataclasses
from typing import Any, Protocol

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.util.errors import UserError


class Space(Protocol):
    """What every space can do."""

    def __hash__(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def sample(self, key: chex.PRNGKey) -> chex.Array:
        """One element, drawn uniformly; the key is consumed."""
        ...

    def contains(self, x: chex.Array) -> chex.Array:
        """Scalar bool: `x` has the space's shape, dtype and bounds."""
        ...


@dataclasses.dataclass(frozen=True)
class Discrete:
    """The integers 0 … n - 1, as int32 scalars.

    Attributes:
      n: how many.
    Raises:
      UserError: `n` is no whole number from 1 to 2³¹ - 1.

    Example:
      >>> space = edgerl.Discrete(3)
      >>> bool(space.contains(jnp.int32(2))), bool(space.contains(jnp.int32(3)))
      (True, False)
    """

    n: int

    def __post_init__(self) -> None:
        whole = isinstance(self.n, (int, np.integer)) and not isinstance(self.n, bool)
        if not whole or not 1 <= self.n < 2**31:
            raise UserError(f"Discrete: n is {self.n!r}; expected a whole number of actions, at least 1")
        object.__setattr__(self, "n", int(self.n))

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
    """float32 arrays of one shape between two bounds, each a number or numbers of the shape's form.

    Attributes:
      low, high: a number, or nested tuples; arrays become tuples. Infinite where there is no bound.
      shape: of an element.
    Raises:
      UserError: the bounds do not have the shape, cross each other, or are NaN.

    Example:
      >>> space = edgerl.Box((-1.0, 0.0), (1.0, np.inf), (2,))
      >>> space.sample(jax.random.key(0)).shape
      (2,)
      >>> bool(space.contains(jnp.array([0.5, -1.0])))
      False
    """

    low: float | tuple[float, ...]
    high: float | tuple[float, ...]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        shape = (self.shape,) if isinstance(self.shape, (int, np.integer)) else tuple(self.shape)
        for name, value in (("low", _hashable(self.low)), ("high", _hashable(self.high)), ("shape", shape)):
            object.__setattr__(self, name, value)
        try:
            low, high = self.bounds()
        except (ValueError, TypeError) as error:
            raise UserError(f"Box: low and high do not fit the shape {shape}: {error}") from error
        if not (low <= high).all():
            raise UserError(f"Box: low {self.low} is not below high {self.high} everywhere")

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """(low, high), each float32 of the space's shape."""
        low, high = (np.broadcast_to(np.asarray(b, np.float32), self.shape) for b in (self.low, self.high))
        return low, high

    @property
    def bounded(self) -> bool:
        """Whether every number has a lower and an upper bound."""
        return all(np.isfinite(bound).all() for bound in self.bounds())

    def sample(self, key: chex.PRNGKey) -> chex.Array:
        """float32 of `shape`: uniform where both sides are bounded, standard normal where neither is,
        an exponential step away from the bound where one is (Gymnasium's convention)."""
        low, high = self.bounds()
        below, above = np.isfinite(low), np.isfinite(high)
        if (below & above).all():  # the usual case, and several times faster than what any box needs
            return _uniform(key, low, high)
        uniform_key, normal_key, exponential_key = jax.random.split(key, 3)
        uniform = _uniform(uniform_key, *(np.where(below & above, bound, np.float32(0)) for bound in (low, high)))
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


def _uniform(key: chex.PRNGKey, low: np.ndarray, high: np.ndarray) -> chex.Array:
    """float32 between two finite bounds of one shape. Halves, so that the width of [-max, max] does not overflow."""
    fraction = jax.random.uniform(key, low.shape, jnp.float32)
    half_low, half_high = low / 2, high / 2
    return half_high + half_low + (half_high - half_low) * (2 * fraction - 1)


def _hashable(bound: Any) -> Any:
    """A number, or nested tuples of numbers."""
    if isinstance(bound, (np.ndarray, jax.Array, np.generic)):
        bound = np.asarray(bound).tolist()
    return tuple(map(_hashable, bound)) if isinstance(bound, (list, tuple)) else bound
