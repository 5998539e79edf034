"""Statistical tests of random words. Each returns a p-value; a good generator's is uniform in [0, 1]."""

import numpy as np
from scipy import stats

LEVEL = 1e-3  # of each test, both tails together: too regular is as bad as too wild


def passes(p):
    return LEVEL / 2 < p < 1 - LEVEL / 2


def problems(words, later=None):
    """Names and p-values of the tests that uint32 [N] fails, as a stream; with `later` [N], as independent of it."""
    tests = (
        {} if later is not None else uniformity(words) | {"collisions": collisions(words), "spacings": spacings(words)}
    )
    tests |= independence(words[:-1], words[1:]) if later is None else independence(words, later)
    return {name: p for name, p in tests.items() if not passes(p)}


def chi_square(cells, count):
    observed = np.bincount(cells, minlength=count)
    expected = len(cells) / count
    return stats.chi2.sf(((observed - expected) ** 2).sum() / expected, count - 1)


def uniformity(words):
    """Each byte and each 16-bit half."""
    bytes_ = {f"byte {i}": chi_square((words >> (8 * i)) & 0xFF, 256) for i in range(4)}
    return bytes_ | {f"half {i}": chi_square((words >> (16 * i)) & 0xFFFF, 65536) for i in range(2)}


def independence(a, b):
    """Of two uint32 [N]: correlation of the values and of each bit with each, and the joint table of four bits."""
    n = len(a)
    x, y = (w / 2.0**32 - 0.5 for w in (a, b))
    tests = {"correlation": stats.norm.sf((x * y).sum() / np.sqrt(n) * 12)}
    planes = [_bit_planes(w) for w in (a, b)]
    unlike = np.bitwise_count(planes[0][:, None] ^ planes[1][None]).sum(axis=-1, dtype=np.int64)
    worst = np.abs(n // 64 * 64 - 2 * unlike).max() / np.sqrt(n)
    tests["bits"] = max_of_normals(worst, 32 * 32)
    for shift in (0, 14, 28):
        tests[f"table at bit {shift}"] = chi_square(((a >> shift) & 15) * 16 + ((b >> shift) & 15), 256)
    return tests


def _bit_planes(words):
    """uint64 [32, N / 64]: row i holds bit i of each word, or another of the 32."""
    bits = np.unpackbits(words[: len(words) // 64 * 64, None].view(np.uint8), axis=1)
    return np.ascontiguousarray(np.packbits(bits.T, axis=1)).view(np.uint64)


def max_of_normals(worst, count):
    """p-value of the greatest absolute value of `count` standard normal numbers."""
    return 1 - (1 - 2 * stats.norm.sf(worst)) ** count


def poisson(count, mean):
    """Between the two one-sided p-values, so that it is uniform up to the steps of a count."""
    return stats.poisson.sf(count, mean) + stats.poisson.pmf(count, mean) / 2


def collisions(words):
    """Repeated values, against the birthday expectation N² / 2³³."""
    return poisson((np.diff(np.sort(words)) == 0).sum(), len(words) ** 2 / 2.0**33)


def spacings(words, days=4096):
    """Marsaglia's birthday spacings: repeated gaps between `days` sorted values, Poisson with mean days³ / 2³⁴."""
    rows = np.sort(words[: len(words) // days * days].reshape(-1, days).astype(np.int64), axis=1)
    gaps = np.sort(np.diff(rows, axis=1), axis=1)
    return poisson((np.diff(gaps, axis=1) == 0).sum(), len(rows) * days**3 / 2.0**34)
