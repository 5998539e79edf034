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
PARTS = 16  # after each the rules whose capital is large enough need not be followed any further


class Bettor:
    """Who bets, on the losses of several rules at once, part by part.

    Args:
      rules: B.
      images: how many losses there will be in all.
      promise: the mean loss that is bet against, from 0 to below 1.
      delta: how often the test may be wrong, between 0 and 1.
    """

    def __init__(self, rules: int, images: int, promise: float, delta: float) -> None:
        self._promise, self._most, self._seen = promise, MOST / (1 - promise), 0
        self._wanted = 2 * np.log(1 / delta) / images
        self._sums = np.zeros((3, rules, 1))  # of losses, of their squared distances from the mean, of log factors

    def bet(self, losses: np.ndarray) -> np.ndarray:
        """Logarithm of the capital after each of the next losses, float64 [B, m] of [B, m]."""
        losses = np.asarray(losses, np.float64)
        count = np.arange(self._seen + 1, self._seen + 1 + losses.shape[-1])
        # Only what was seen before an image may decide the bet on it.
        mean = self._before(0, losses) / count
        variance = (FIRST_VARIANCE + self._before(1, (losses - mean) ** 2)) / count
        bet = np.minimum(np.sqrt(self._wanted / variance), self._most)
        capital = self._sums[2] + np.cumsum(np.log1p(-bet * (losses - self._promise)), axis=-1)
        self._sums[2], self._seen = capital[:, -1:], int(count[-1])
        return capital

    def follow(self, rules: np.ndarray) -> None:
        """Goes on with some of the rules only: indices or bool [B]."""
        self._sums = self._sums[:, rules]

    def _before(self, which: int, values: np.ndarray) -> np.ndarray:
        """At each place of the last axis the sum of all values before it."""
        sums = self._sums[which] + np.cumsum(values, axis=-1)
        self._sums[which], shifted = sums[:, -1:], np.empty_like(sums)
        shifted[:, 0], shifted[:, 1:] = (sums - values)[:, 0], sums[:, :-1]
        return shifted


def log_capital(losses: np.ndarray, promise: float, delta: float) -> np.ndarray:
    """Logarithm of the capital after each image, float64 [B, n] of losses [B, n] from -1 to 1; see `Bettor`."""
    return Bettor(*losses.shape, promise, delta).bet(losses)


def p_value(losses: np.ndarray, promise: float, delta: float) -> np.ndarray:
    """How likely such a capital is, at most, where the mean loss is above the promise: float64 [B] of losses [B, n]."""
    return np.exp(-np.maximum(log_capital(losses, promise, delta).max(-1), 0))


def upper_bound(losses: np.ndarray, delta: float) -> float:
    """The least promise that losses [n] pass: with probability 1 - delta the mean loss of this rule is not above it."""
    low, high = 0.0, 1.0 - 1e-9
    for _ in range(30):
        middle = (low + high) / 2
        passed = p_value(losses[None], middle, delta)[0] <= delta
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
    left, bettor, size = np.arange(rules), Bettor(rules, images, promise, delta), -(-images // PARTS)
    for start in range(0, images, size):
        poor = bettor.bet(losses[left, start : start + size]).max(-1) < np.log(1 / delta)
        left = left[poor]
        bettor.follow(poor)
        if not left.size:
            break
    return ~np.isin(np.arange(rules), left)


def fewest_images(promise: float, delta: float) -> int:
    """How many images it takes to pass without a single loss."""
    enough = 1
    while _too_few(enough, promise, delta):
        enough *= 2
    low = enough // 2  # which is too few, or 0
    while enough - low > 1:
        middle = (low + enough) // 2
        low, enough = (middle, enough) if _too_few(middle, promise, delta) else (low, middle)
    return enough


def _too_few(images: int, promise: float, delta: float) -> bool:
    return bool(p_value(np.zeros((1, images)), promise, delta)[0] > delta)
