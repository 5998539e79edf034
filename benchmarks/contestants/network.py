"""The multilayer perceptron that decides in the benchmarks: the same weights for every contestant."""

import itertools
from collections.abc import Sequence

import numpy as np


def weights(sizes: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(kernels float32 [in, out], biases float32 [out]): normal, variance 1 / in, always the same."""
    rng = np.random.default_rng(0)
    pairs = list(itertools.pairwise(sizes))
    kernels = [(rng.standard_normal(pair) / np.sqrt(pair[0])).astype(np.float32) for pair in pairs]
    biases = [(0.1 * rng.standard_normal(pair[1])).astype(np.float32) for pair in pairs]
    return kernels, biases
