"""Whether a mean loss is at most what was promised: a test by betting, for losses from -1 to 1.

Against the hypothesis that the mean loss is above the promise somebody bets on each image in turn that its loss will be
below. While the hypothesis holds no bet is favourable, so the capital, 1 at the start, ever reaches 1 / delta with
probability delta at most (Ville's inequality). Waudby-Smith and Ramdas (2024), "Estimating means of bounded random
variables by betting", arXiv 2010.09686; rules are tested in a fixed order as in Angelopoulos et al. (2021), "Learn then
Test", arXiv 2110.01052: none is tested after the first that fails, so that all of them share one delta.
"""

from collections.abc import Iterable

import numpy as np

# The proof holds for whatever these are; they decide how soon a small loss is recognised.
FIRST_VARIANCE = 0.05  # of losses, before any was seen
MOST = 0.75  # of the largest bet that can never lose more than all
PARTS = (16, 4, 1)  # a capital that is large enough after a part of the images need not be followed to the end


def log_capital(losses: np.ndarray, promise: float, delta: float, images: int | None = None) -> np.ndarray:
    """Logarithm of the capital after each image, float64 [..., n].

    Args:
      losses: [..., n], from -1 to 1, in an order that tells nothing of them.
      promise: the mean loss that is bet against, from 0 to below 1.
      delta: how often the test may be wrong, between 0 and 1.
      images: how many there are in all, if `losses` are only the first of them.
    """
    losses = np.asarray(losses, np.float64)
    count = np.arange(1, losses.shape[-1] + 1)
    # Only what was seen before an image may decide the bet on it.
    mean = _before(losses) / count
    variance = (FIRST_VARIANCE + _before((losses - mean) ** 2)) / count
    wanted = np.sqrt(2 * np.log(1 / delta) / ((images or len(count)) * variance))
    bet = np.minimum(wanted, MOST / (1 - promise))
    return np.cumsum(np.log1p(-bet * (losses - promise)), axis=-1)


def _before(values: np.ndarray) -> np.ndarray:
    """At each place of the last axis the sum of the values before it."""
    sums = np.zeros_like(values)
    np.cumsum(values[..., :-1], axis=-1, out=sums[..., 1:])
    return sums


def p_value(losses: np.ndarray, promise: float, delta: float) -> np.ndarray:
    """How likely such a capital is, at most, where the mean loss is above the promise: float64 [...] in [0, 1]."""
    return np.exp(-np.maximum(log_capital(losses, promise, delta).max(-1), 0))


def upper_bound(losses: np.ndarray, delta: float) -> float:
    """The least promise that losses [n] pass: with probability 1 - delta the mean loss of this rule is not above it."""
    low, high = 0.0, 1.0 - 1e-9
    for _ in range(30):
        middle = (low + high) / 2
        passed = p_value(losses, middle, delta) <= delta
        low, high = (low, middle) if passed else (middle, high)
    return high


def passing(blocks: Iterable[np.ndarray], promise: float, delta: float) -> int:
    """How many rules, from the first, pass in a row.

    Args:
      blocks: losses [B, n] of some rules each, in an order of rules that was fixed before the images were seen.
    """
    passed = 0
    for losses in blocks:
        failed = np.flatnonzero(~_passes(losses, promise, delta))
        if failed.size:
            return passed + int(failed[0])
        passed += len(losses)
    return passed


def _passes(losses: np.ndarray, promise: float, delta: float) -> np.ndarray:
    """bool [B]."""
    rules, images = losses.shape
    passes = np.zeros(rules, bool)
    for part in PARTS:
        left = np.flatnonzero(~passes)
        seen = losses[left, : -(-images // part)]
        passes[left] = log_capital(seen, promise, delta, images).max(-1) >= np.log(1 / delta)
    return passes


def fewest_images(promise: float, delta: float) -> int:
    """How many images it takes to pass without a single loss."""
    enough = 1
    while p_value(np.zeros(enough), promise, delta) > delta:
        enough *= 2
    low = enough // 2  # which is too few, or 0
    while enough - low > 1:
        middle = (low + enough) // 2
        low, enough = (low, middle) if p_value(np.zeros(middle), promise, delta) <= delta else (middle, enough)
    return enough
