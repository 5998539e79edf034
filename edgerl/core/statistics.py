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
    lanes = {field.name: getattr(totals, field.name).reshape(-1) for field in dataclasses.fields(totals)}
    episodes = int(totals.episodes.sum(dtype=np.int64))
    if not episodes:
        empty = Summary(math.nan, math.nan, math.nan, math.nan)
        return 0, empty, empty
    # Sums around one center that is near all values, so that the squares keep their digits.
    first = (lanes["episodes"] > 0).argmax()
    centers = float(lanes["center"][first]), float(lanes["length_center"][first])
    pieces = range(0, len(lanes["episodes"]), _PIECE)
    parts = (Totals(**{name: x[i : i + _PIECE] for name, x in lanes.items()}) for i in pieces)
    sums = np.sum([_moments(part, *centers) for part in parts], axis=0) / episodes
    (mean, std), (mean_length, std_length) = (
        (center + total, math.sqrt(max(squares - total**2, 0.0)))
        for center, total, squares in zip(centers, sums[::2].tolist(), sums[1::2].tolist(), strict=True)
    )
    return (
        episodes,
        Summary(mean, std, float(totals.lowest.min()), float(totals.highest.max())),
        Summary(mean_length, std_length, float(totals.shortest.min()), float(totals.longest.max())),
    )


_PIECE = 2**15  # lanes whose numbers stay in the processor's cache


def _moments(totals: Totals, center: float, length_center: float) -> tuple[float, float, float, float]:
    """Sums of deviations from the centers and of their squares, of returns, of lengths; `totals` are of lanes [n]."""
    count = totals.episodes.astype(np.float64)
    own = totals.length_center.astype(np.float64)
    return (
        *_moved(count, totals.total.astype(np.float64), totals.squares, totals.center - np.float64(center)),
        *_moved(count, totals.length_total - count * own, totals.length_squares, own - length_center),
    )


def _moved(count: np.ndarray, total: np.ndarray, squares: np.ndarray, shift: np.ndarray) -> tuple[float, float]:
    """Sums of deviations and of their squares around centers that lie `shift` [n] lower."""
    moved = total + count * shift  # of a lane without episodes 0, whatever its center
    return float(moved.sum()), float(squares.sum(dtype=np.float64) + ((total + moved) * shift).sum())
