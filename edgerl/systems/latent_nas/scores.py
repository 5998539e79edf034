"""What a surrogate is worth on rows that it never saw."""

import math

import numpy as np

from edgerl.systems.latent_nas.data import Architectures
from edgerl.systems.latent_nas.surrogate import Surrogate, predict


def report(surrogate: Surrogate, table: Architectures) -> dict[str, float]:
    """Root mean squared error, R², Spearman's rank correlation and the intervals' coverage on rows not fitted to."""
    made, measured = predict(surrogate, table.genes), table.targets[:, 0]
    low, high = surrogate.interval(made)
    return {
        "rows": len(table),
        **of_predictions(made.accuracy, measured),
        "coverage_of_90_percent_interval": float(((measured >= low) & (measured <= high)).mean()),
        "mean_interval_width": float(np.mean(high - low)),
        "spearman_of_spread": _spearman(made.spread, table.targets[:, 1]),
        "spearman_of_avm": _spearman(made.avm, table.targets[:, 2]),
    }


def of_predictions(predicted: np.ndarray, measured: np.ndarray) -> dict[str, float]:
    """Root mean squared error, R² and Spearman's rank correlation of predictions [N]."""
    error = measured - predicted
    return {
        "rmse": float(np.sqrt(np.mean(error**2))),
        "r2": float(1 - np.mean(error**2) / measured.var()),
        "spearman": _spearman(predicted, measured),
    }


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of the ranks; equal values share their mean rank. NaN where all are equal."""
    first, second = _ranks(a), _ranks(b)
    return float(np.corrcoef(first, second)[0, 1]) if min(first.std(), second.std()) > 0 else math.nan


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]
