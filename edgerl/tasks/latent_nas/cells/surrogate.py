"""What a cell would reach, predicted with its uncertainty from the cells that were measured: a Gaussian process.

Classes of cells are compared by `space.features` with a Matérn kernel of smoothness 3/2. A class deviates from what its
features say by `own`; a measured cell deviates from its class by `noise`: cells that compute the same were trained from
other random numbers. Accuracies lose their lower tail first, see `scores`: how bad a bad cell is hardly matters.

Length, deviations and scale are the same for all tables and numbers of measured cells. The kernel depends on no
measurement, so that it is computed once for all searches.

Reference: Rasmussen & Williams, "Gaussian Processes for Machine Learning", 2006, chapter 2; leaving out one: 5.4.2.
"""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.tasks.latent_nas.cells import space
from edgerl.util.config import field

_GROUPS = np.repeat([3, 5, 3, 3, 4], [3, 5, 3, 3, 4])  # of `space.features`: each group counts as much as another


@dataclasses.dataclass(frozen=True)
class SurrogateConfig:
    """Of the Gaussian process; variances are of `scores`, whose variance is 1."""

    length: float = field(4.0, "distance of features over which accuracies go together", low=0.01)
    scale: float = field(2.0, "variance that features explain", low=0)
    own: float = field(0.05, "variance of classes around what their features say", low=0)
    noise: float = field(0.15, "variance of measured cells around their class", low=0.001)


@struct.dataclass
class Measured:
    """Cells that were looked at, in their order; what lies beyond `count` is no matter."""

    classes: chex.Array  # int32 [n]
    accuracy: chex.Array  # float32 [n], percent
    count: chex.Numeric


@struct.dataclass
class Posterior:
    """Of the classes, as `scores`."""

    mean: chex.Array  # float32 [C]
    variance: chex.Array  # float32 [C], without the noise of a measurement


def kernel(config: SurrogateConfig) -> np.ndarray:
    """float32 [C, C]: the covariance of classes that their features make."""
    return _kernel(config.length, config.scale)


def with_cheap(covariance: np.ndarray, cheap: np.ndarray) -> np.ndarray:
    """float32 [C, C]: classes that are alike in a cheap accuracy, too, go together; for transfer.

    Args:
      covariance: `kernel(config)`.
      cheap: float [C], known of all classes.
    """
    order = np.argsort(np.argsort(cheap))
    score = np.asarray(jax.scipy.special.ndtri((order + 0.5) / len(order)), np.float32)
    distance = np.abs(score[:, None] - score) * np.float32(np.sqrt(3) / 2)
    return covariance + np.float32(2) * (1 + distance) * np.exp(-distance)


@functools.lru_cache(maxsize=4)
def _kernel(length: float, scale: float) -> np.ndarray:
    _, representatives = space.classes()
    found = space.features(space.all_cells()[representatives])
    every = found[space.classes()[0]]  # each class as often as it has cells
    found = (found - every.mean(0)) / (every.std(0) * np.sqrt(_GROUPS)).astype(np.float32)
    squares = (found**2).sum(1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * found @ found.T, 0) * np.float32(3 / length**2))
    np.fill_diagonal(distance, 0)
    return np.float32(scale) * (1 + distance) * np.exp(-distance)


def scores(accuracy: chex.Array, count: chex.Numeric) -> chex.Array:
    """float32 [n]: the first `count` accuracies [n] without their lower tail, of mean 0 and variance 1; 0 beyond them.

    Above the median as they are; below it the distance to it grows as a logarithm, on a scale of three tenths of that
    from the median to the best: how bad a bad cell is hardly matters, but the order stays.
    """
    there = jnp.arange(len(accuracy)) < count
    above = accuracy - jnp.nanmedian(jnp.where(there, accuracy, jnp.nan))
    scale = 0.3 * jnp.maximum(jnp.max(jnp.where(there, above, 0)), 0.1)
    kept = jnp.where(above > 0, above, -scale * jnp.log1p(jnp.maximum(-above, 0) / scale))
    mean = jnp.sum(jnp.where(there, kept, 0)) / jnp.maximum(count, 1)
    centred = jnp.where(there, kept - mean, 0)
    return centred / jnp.sqrt(jnp.maximum(jnp.sum(centred**2) / jnp.maximum(count, 1), 1e-6))


def posterior(config: SurrogateConfig, covariance: chex.Array, seen: Measured, exact: int = 512) -> Posterior:
    """What measured cells [n] say of all classes; `covariance` is `kernel(config)`.

    Where more than 64 cells may be measured, the variance is computed for the `exact` classes of the highest mean
    alone, that of the others is that of a class whose cells tell all: who is far behind is no candidate.
    """
    factor, weights, there = _solved(config, covariance, seen)
    rows = jnp.where(there[:, None], covariance[seen.classes], 0)  # [n, C]
    mean = weights @ rows + jnp.zeros(len(covariance)).at[seen.classes].add(jnp.where(there, config.own * weights, 0))
    chosen = jnp.arange(len(covariance)) if len(there) <= 64 else jax.lax.top_k(mean, exact)[1]
    some = rows[:, chosen] + jnp.where(there[:, None] & (seen.classes[:, None] == chosen), config.own, 0.0)
    explained = jnp.sum(jax.scipy.linalg.solve_triangular(factor, some, lower=True) ** 2, 0)
    left = jnp.maximum(covariance[chosen, chosen] + config.own - explained, 1e-6)
    variance = jnp.zeros(len(covariance)).at[chosen].set(left)
    return Posterior(mean, variance)


def left_out(config: SurrogateConfig, covariance: chex.Array, seen: Measured) -> chex.Array:
    """float32 [n]: how many predicted standard deviations each measured cell lies from what the others say of it."""
    factor, weights, there = _solved(config, covariance, seen)
    inverse = jax.scipy.linalg.cho_solve((factor, True), jnp.eye(len(there)))
    return jnp.where(there, weights / jnp.sqrt(jnp.diagonal(inverse)), jnp.nan)


def _solved(
    config: SurrogateConfig, covariance: chex.Array, seen: Measured
) -> tuple[chex.Array, chex.Array, chex.Array]:
    """(Cholesky factor [n, n], weights [n], which rows there are); rows that are not there are independent."""
    there = jnp.arange(len(seen.classes)) < seen.count
    both = there[:, None] & there
    same = seen.classes[:, None] == seen.classes
    matrix = jnp.where(both, covariance[seen.classes[:, None], seen.classes] + config.own * same, 0)
    matrix = matrix + jnp.diag(jnp.where(there, config.noise, 1.0))
    factor = jnp.linalg.cholesky(matrix)
    return factor, jax.scipy.linalg.cho_solve((factor, True), scores(seen.accuracy, seen.count)), there
