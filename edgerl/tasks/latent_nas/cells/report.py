"""What the surrogate is worth on cells that it did not see."""

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.cells import space
from edgerl.tasks.latent_nas.cells import surrogate as gp
from edgerl.tasks.latent_nas.cells.surrogate import Measured, SurrogateConfig
from edgerl.tasks.latent_nas.models import scores


def judge(config: SurrogateConfig, cells: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    """Spearman's rank correlation and the coverage of 90 % intervals on all other cells.

    The interval is that of the predicted score, made as wide as nine of ten cells left out of the training ask for
    (leave-one-out, as Vovk's cross-conformal predictors), and taken back to percent by the ranks.

    Args:
      cells: int [n], what the surrogate learns from, by number.
      values: float64 [15,625], the metric; not finite where it does not count.
    """
    of_cell, _ = space.classes()
    seen = Measured(jnp.asarray(of_cell[cells]), jnp.asarray(values[cells], jnp.float32), jnp.int32(len(cells)))
    covariance = jnp.asarray(gp.kernel(config))
    mean, variance, away = map(np.asarray, _predicted(config, covariance, seen))
    rest = np.setdiff1d(np.flatnonzero(np.isfinite(values)), cells)
    deviation = np.sqrt(variance[of_cell[rest]] + config.noise)
    width = np.quantile(np.abs(away), min(0.9 * (len(cells) + 1) / len(cells), 1)) * deviation
    said, true = mean[of_cell[rest]], values[rest]
    ordered = np.sort(values[cells])
    grid = np.sort(np.asarray(gp.scores(seen.accuracy, seen.count)))
    low, high = (_percent(said + sign * width, grid, ordered) for sign in (-1, 1))
    return {
        "training_cells": len(cells),
        "other_cells": len(rest),
        "spearman": scores.of_predictions(said, true)["spearman"],
        "coverage_of_90_percent_interval": float(((true >= low) & (true <= high)).mean()),
        "mean_interval_width": float(np.mean(high - low)),
    }


def _percent(score: np.ndarray, grid: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Scores as percent, by the measured cells' own; beyond the last ones 0 and 100."""
    edges = np.concatenate([[grid[0] - 1e-3], grid, [grid[-1] + 1e-3]])
    return np.interp(score, edges, np.concatenate([[0], ordered, [100]]))


@functools.partial(jax.jit, static_argnames="config")
def _predicted(config: SurrogateConfig, covariance: chex.Array, seen: Measured) -> tuple[chex.Array, ...]:
    said = gp.posterior(config, covariance, seen, exact=len(covariance))
    return said.mean, said.variance, gp.left_out(config, covariance, seen)
