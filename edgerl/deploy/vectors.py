"""Observations to compare implementations on: on- and off-policy, at the edges, and what no sensor should send."""

import numpy as np

from edgerl.deploy.calibration import Quantiser

_LARGEST, _SMALLEST = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, _LARGEST, -_LARGEST, 1e30, -1e30, 1e9, -1e9, _SMALLEST, -_SMALLEST, 0.0, -0.0], np.float32
)


def make(quantiser: Quantiser, observations: np.ndarray, num: int, seed: int = 0) -> np.ndarray:
    """float32 [num, features], the same for the same arguments.

    A quarter are the given observations with a little noise (on-policy), a quarter uniform over twice the quantiser's
    range, a quarter normal with tails far outside, a quarter on the boundary between two int8 steps, where halves are
    rounded. In every eighth row some features hold NaN, ±inf, huge, subnormal or zero values.
    """
    rng = np.random.default_rng(seed)
    features = len(quantiser.gain)
    centre, half = (quantiser.high + quantiser.low) / 2, (quantiser.high - quantiser.low) / 2
    kind = np.arange(num) % 4
    on_policy = observations[rng.integers(len(observations), size=num)] + 0.02 * half * rng.normal(size=(num, features))
    uniform = centre + 2 * half * rng.uniform(-1, 1, (num, features))
    normal = centre + half * rng.normal(size=(num, features)) * np.exp(rng.normal(size=(num, 1)))
    steps = rng.integers(-140, 140, (num, features)) - quantiser.offset + 0.5
    boundary = steps * quantiser.step
    rows = np.select([kind[:, None] == k for k in range(4)], [on_policy, uniform, normal, boundary]).astype(np.float32)
    odd = (rng.integers(8, size=(num, 1)) == 0) & (rng.random((num, features)) < 0.5)
    return np.where(odd, rng.choice(SPECIAL, (num, features)), rows)
