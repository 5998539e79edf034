"""Counts, means and extremes of finished episodes: summed lane by lane on the device, put together on the host."""

import dataclasses
import math

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct


@struct.dataclass
class Episode:
    """The running or the last finished episode of a lane."""

    total_reward: chex.Array  # float32
    length: chex.Array  # int32


@struct.dataclass
class Totals:
    """Sums over the finished episodes of one lane, returns and squares around the first one, to keep their digits."""

    episodes: chex.Array  # int32
    center: chex.Array  # float32: the first return
    total: chex.Array  # float32: sum of (return - center)
    squares: chex.Array  # float32: sum of (return - center)²
    lowest: chex.Array  # float32
    highest: chex.Array  # float32
    length_center: chex.Array  # int32: the first length
    length_total: chex.Array  # int32: sum of lengths
    length_squares: chex.Array  # float32: sum of (length - length_center)²
    shortest: chex.Array  # int32
    longest: chex.Array  # int32


def no_totals() -> Totals:
    """Totals of no episode."""
    zero, none = jnp.float32(0), jnp.int32(0)
    return Totals(
        episodes=none,
        center=zero,
        total=zero,
        squares=zero,
        lowest=jnp.float32(jnp.inf),
        highest=jnp.float32(-jnp.inf),
        length_center=none,
        length_total=none,
        length_squares=zero,
        shortest=jnp.int32(2**31 - 1),
        longest=none,
    )


def add_episode(totals: Totals, episode: Episode) -> Totals:
    """Totals with one more finished episode."""
    first, length = totals.episodes == 0, episode.length
    center = jnp.where(first, episode.total_reward, totals.center)
    length_center = jnp.where(first, length, totals.length_center)
    deviation, difference = episode.total_reward - center, (length - length_center).astype(jnp.float32)
    return Totals(
        episodes=totals.episodes + 1,
        center=center,
        total=totals.total + deviation,
        squares=totals.squares + deviation * deviation,
        lowest=jnp.minimum(totals.lowest, episode.total_reward),
        highest=jnp.maximum(totals.highest, episode.total_reward),
        length_center=length_center,
        length_total=totals.length_total + length,
        length_squares=totals.length_squares + difference * difference,
        shortest=jnp.minimum(totals.shortest, length),
        longest=jnp.maximum(totals.longest, length),
    )


@dataclasses.dataclass(frozen=True)
class Summary:
    """Of one quantity over all finished episodes; NaN where there was none."""

    mean: float
    std: float
    min: float
    max: float


def summarise(totals: Totals) -> tuple[int, Summary, Summary]:
    """Number of episodes, and their returns and lengths, from NumPy totals of any shape: added in float64, in order."""
    count = totals.episodes.astype(np.float64)
    episodes = int(totals.episodes.sum(dtype=np.int64))
    if not episodes:
        empty = Summary(math.nan, math.nan, math.nan, math.nan)
        return 0, empty, empty
    played = np.maximum(count, 1)
    offset = totals.total.astype(np.float64) / played
    returns = _pooled(count, totals.center + offset, totals.squares.astype(np.float64) - count * offset**2)
    mean = totals.length_total / played
    difference = mean - totals.length_center
    lengths = _pooled(count, mean, totals.length_squares.astype(np.float64) - count * difference**2)
    return (
        episodes,
        Summary(*returns, float(totals.lowest.min()), float(totals.highest.max())),
        Summary(*lengths, float(totals.shortest.min()), float(totals.longest.max())),
    )


def _pooled(count: np.ndarray, mean: np.ndarray, squares: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of all, from the count, the mean and the sum of squared deviations of each part."""
    overall = float((count * mean).sum() / count.sum())
    variance = (squares + count * (mean - overall) ** 2).sum() / count.sum()
    return overall, math.sqrt(max(float(variance), 0.0))
