"""What a surrogate is worth on rows that it never saw."""

import math
from typing import Any

import numpy as np

from edgerl.tasks.latent_nas.models.surrogate import Surrogate, predict
from edgerl.tasks.latent_nas.table.data import Architectures

RESAMPLES = 1000


def report(surrogate: Surrogate, table: Architectures) -> dict[str, Any]:
    """Root mean squared error, R² with its 95 % interval, Spearman's rank correlation and the intervals' coverage on
    rows not fitted to. What is not defined, where all rows are the same, is None."""
    made, measured = predict(surrogate, table.genes), table.targets[:, 0]
    low, high = surrogate.interval(made)
    said = of_predictions(made.accuracy, measured)
    return {
        "rows": len(table),
        "rmse": said["rmse"],
        "r2": _defined(said["r2"]),
        "r2_95_percent": _r2_interval(made.accuracy, measured),
        "spearman": _defined(said["spearman"]),
        "coverage_of_90_percent_interval": float(((measured >= low) & (measured <= high)).mean()),
        "mean_interval_width": float(np.mean(high - low)),
        "spearman_of_spread": _defined(_spearman(made.spread, table.targets[:, 1])),
        "spearman_of_avm": _defined(_spearman(made.avm, table.targets[:, 2])),
    }


def of_predictions(predicted: np.ndarray, measured: np.ndarray) -> dict[str, float]:
    """Root mean squared error, R² and Spearman's rank correlation of predictions [N]; NaN where not defined."""
    squared = (measured - predicted) ** 2
    return {
        "rmse": float(np.sqrt(squared.mean())),
        "r2": _r2(squared, measured),
        "spearman": _spearman(predicted, measured),
    }


def _r2(squared: np.ndarray, measured: np.ndarray) -> float:
    return float(1 - squared.mean() / measured.var()) if np.ptp(measured) > 0 else math.nan


def _r2_interval(predicted: np.ndarray, measured: np.ndarray) -> list[float] | None:
    """95 % bootstrap interval of R² over the rows (Efron, 1979: percentiles of rows drawn with replacement)."""
    rng, squared = np.random.default_rng(0), (measured - predicted) ** 2
    drawn = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(measured), len(measured))
        drawn.append(_r2(squared[rows], measured[rows]))
    if not np.isfinite(drawn).any():
        return None
    return [float(x) for x in np.nanpercentile(drawn, (2.5, 97.5))]


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of the ranks; equal values share their mean rank. NaN where all are equal."""
    first, second = _ranks(a), _ranks(b)
    return float(np.corrcoef(first, second)[0, 1]) if min(first.std(), second.std()) > 0 else math.nan


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]
