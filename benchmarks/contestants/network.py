"""The networks that decide in the benchmarks: the same weights for every contestant."""

import itertools
from collections.abc import Sequence

import numpy as np


def weights(sizes: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A perceptron's (kernels float32 [in, out], biases float32 [out]): normal, variance 1 / in, always the same."""
    return _drawn(list(itertools.pairwise(sizes)))


def gru_weights(features: int, units: int, actions: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The same of a gated recurrent unit: update gate, reset gate, candidate, and the layer behind it."""
    return _drawn([*[(features + units, units)] * 3, (units, actions)])


def _drawn(pairs: Sequence[tuple[int, int]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(0)
    kernels = [(rng.standard_normal(pair) / np.sqrt(pair[0])).astype(np.float32) for pair in pairs]
    biases = [(0.1 * rng.standard_normal(pair[1])).astype(np.float32) for pair in pairs]
    return kernels, biases
