"""Confidence intervals by drawing images anew: Efron (1979), the percentile interval."""

from typing import Any

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95


def interval(values: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) of the mean of `values` [n] or [n, m] over images: float [] or [m]."""
    rng = np.random.default_rng(seed)
    images = len(values)
    means = []
    for _ in range(RESAMPLES):
        counts = np.bincount(rng.integers(0, images, images), minlength=images)
        means.append(counts @ values / images)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, (tail, 1 - tail), axis=0)
    return low, high


def summary(values: np.ndarray) -> dict[str, Any]:
    """Mean of `values` [n] over images, with its interval."""
    low, high = interval(values.astype(np.float64))
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}
