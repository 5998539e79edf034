"""Whether a mean loss is at most what was promised: a test by betting, for losses of -1, 0 or 1.

Against the hypothesis that the mean loss is above the promise somebody bets on each image in turn that its loss will be
below. While the hypothesis holds no bet is favourable: the capital, 1 at the start, is at most 1 on average in the end,
so with probability delta at most it is 1 / delta or more. Waudby-Smith and Ramdas (2024), "Estimating means of bounded
random variables by betting", arXiv 2010.09686. Rules are tested in a fixed order, and none after the first that fails,
so that all of them share one delta: Angelopoulos et al. (2021), "Learn then Test", arXiv 2110.01052.

The paper decides on a bet before every image, and looks at the largest capital on the way. Here the bet is decided
anew before each of a few parts, and the capital counts that is there in the end. It depends then on how many losses
there are in each part alone, hardly on the order of images; the proof is the same.
"""

from collections.abc import Iterable

import numpy as np

# The proof holds for whatever these are; they decide how soon a small loss is recognised.
FIRST_VARIANCE, FIRST_IMAGES = 0.05, 10  # variance of losses before any was seen, and what that counts beside images
MOST = 0.75  # of the largest bet that can never lose more than all
PARTS = (1 / 16, 1 / 8, 1 / 4, 1 / 2)  # where the bet is decided anew, as shares of all images


def part_of(images: int) -> np.ndarray:
    """int [n]: which of the parts each image is in."""
    places = np.ceil(np.array(PARTS) * images).astype(int)
    return np.searchsorted(places, np.arange(images), side="right")


def count(losses: np.ndarray) -> np.ndarray:
    """float64 [2, parts, ...]: how often each part of losses [..., n] has 1, and -1; what `log_capital` reads.

    Args:
      losses: -1, 0 or 1, in an order that tells nothing of them.
    """
    parts = part_of(losses.shape[-1])
    inside = (parts[:, None] == np.arange(len(PARTS) + 1)).astype(np.float32)  # [n, parts]; counts exactly below 2^24
    return np.stack([np.moveaxis((losses == value) @ inside, -1, 0) for value in (1, -1)]).astype(np.float64)


def log_capital(counts: np.ndarray, images: int, promise: float, delta: float) -> np.ndarray:
    """Logarithm of the capital in the end, float64 [...].

    Args:
      counts: [2, parts, ...], of `count`.
      images: n, how many losses were counted, zeros included.
      promise: the mean loss that is bet against, from 0 to below 1.
      delta: how often the test may be wrong, between 0 and 1.
    """
    sizes = np.bincount(part_of(images), minlength=len(PARTS) + 1)
    before, seen, capital = np.zeros((2, *counts.shape[2:])), 0, np.zeros(counts.shape[2:])
    for part, size in enumerate(sizes):
        # Only what was seen before a part may decide the bets in it.
        up, down = before
        squares = up + down - (up - down) ** 2 / max(seen, 1)
        variance = (FIRST_IMAGES * FIRST_VARIANCE + squares) / (FIRST_IMAGES + seen)
        bet = np.minimum(np.sqrt(2 * np.log(1 / delta) / (images * variance)), MOST / (1 - promise))
        up, down = counts[:, part]
        capital = (
            capital
            + up * np.log1p(-bet * (1 - promise))
            + down * np.log1p(bet * (1 + promise))
            + (size - up - down) * np.log1p(bet * promise)
        )
        before, seen = before + counts[:, part], seen + int(size)
    return capital


def p_value(counts: np.ndarray, images: int, promise: float, delta: float) -> np.ndarray:
    """How likely such a capital is, at most, where the mean loss is above the promise: float64 [...] in [0, 1]."""
    return np.exp(-np.maximum(log_capital(counts, images, promise, delta), 0))


def passes(counts: np.ndarray, images: int, promise: float, delta: float) -> np.ndarray:
    """bool [...]: whether the capital is 1 / delta or more."""
    return log_capital(counts, images, promise, delta) >= np.log(1 / delta)


def upper_bound(losses: np.ndarray, delta: float) -> float:
    """The least promise that losses [n] pass: with probability 1 - delta the mean loss of this rule is not above it."""
    counts, low, high = count(losses), 0.0, 1.0 - 1e-9
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if passes(counts, len(losses), middle, delta) else (middle, high)
    return high


def passing(blocks: Iterable[np.ndarray], promise: float, delta: float) -> int:
    """How many rules, from the first, pass in a row.

    Args:
      blocks: losses [B, n] of some rules each, in an order of rules that was fixed before the images were seen.
    """
    passed = 0
    for losses in blocks:
        failed = np.flatnonzero(~passes(count(losses), losses.shape[1], promise, delta))
        if failed.size:
            return passed + int(failed[0])
        passed += len(losses)
    return passed


def fewest_images(promise: float, delta: float) -> int:
    """How many images it takes to pass without a single loss."""
    none = np.zeros((2, len(PARTS) + 1))
    enough = 1
    while not passes(none, enough, promise, delta):
        enough *= 2
    low = enough // 2  # which is too few, or 0
    while enough - low > 1:
        middle = (low + enough) // 2
        low, enough = (low, middle) if passes(none, middle, promise, delta) else (middle, enough)
    return enough
