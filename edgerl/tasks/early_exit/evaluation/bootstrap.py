"""Confidence intervals by drawing images anew: Efron (1979), the percentile interval."""

from typing import Any

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
FEW = 100  # distinct values


def interval(values: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) of the mean of `values` [n] or [n, m] over images: float [] or [m].

    How often each distinct value is drawn has a multinomial distribution; few values, as where images are right or
    wrong at one of K exits, are drawn by that.
    """
    rng = np.random.default_rng(seed)
    images = len(values)
    distinct, counts = np.unique(values, axis=0, return_counts=True)
    if len(distinct) <= FEW:
        means = rng.multinomial(images, counts / images, RESAMPLES) @ distinct / images
    else:
        drawn = (np.bincount(rng.integers(0, images, images), minlength=images) for _ in range(RESAMPLES))
        means = np.stack([counts @ values / images for counts in drawn])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, (tail, 1 - tail), axis=0)
    return low, high


def summary(values: np.ndarray) -> dict[str, Any]:
    """Mean of `values` [n] over images, with its interval."""
    low, high = interval(values.astype(np.float64))
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}
