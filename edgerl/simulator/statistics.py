"""Counts, means and extremes of finished episodes: summed lane by lane on the device, put together on the host."""

import dataclasses
import math

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct


@struct.dataclass
class Returns:
    """Sums over the returns of one lane's finished episodes, around the first one, to keep their digits. float32."""

    center: chex.Array  # the first return
    total: chex.Array  # sum of (return - center)
    squares: chex.Array  # sum of (return - center)²
    lowest: chex.Array
    highest: chex.Array


@struct.dataclass
class Totals:
    """Sums over the finished episodes of one lane."""

    episodes: chex.Array  # int32
    returns: Returns | None  # None where every step pays the same
    length_center: chex.Array  # int32: the first length
    length_total: chex.Array  # int32: sum of lengths
    length_squares: chex.Array  # float32: sum of (length - length_center)²
    shortest: chex.Array  # int32
    longest: chex.Array  # int32


def no_totals(with_returns: bool) -> Totals:
    """Totals of no episode."""
    zero, none, infinite = jnp.float32(0), jnp.int32(0), jnp.float32(jnp.inf)
    returns = Returns(zero, zero, zero, lowest=infinite, highest=-infinite) if with_returns else None
    return Totals(none, returns, none, none, zero, shortest=jnp.int32(2**31 - 1), longest=none)


def add_episode(totals: Totals, total_reward: chex.Array | None, length: chex.Array) -> Totals:
    """Totals with one more finished episode."""
    first = totals.episodes == 0
    center = jnp.where(first, length, totals.length_center)
    difference = (length - center).astype(jnp.float32)
    return Totals(
        episodes=totals.episodes + 1,
        returns=None if totals.returns is None else _add_return(totals.returns, total_reward, first),
        length_center=center,
        length_total=totals.length_total + length,
        length_squares=totals.length_squares + difference * difference,
        shortest=jnp.minimum(totals.shortest, length),
        longest=jnp.maximum(totals.longest, length),
    )


def _add_return(returns: Returns, value: chex.Array, first: chex.Array) -> Returns:
    center = jnp.where(first, value, returns.center)
    deviation = value - center
    return Returns(
        center=center,
        total=returns.total + deviation,
        squares=returns.squares + deviation * deviation,
        lowest=jnp.minimum(returns.lowest, value),
        highest=jnp.maximum(returns.highest, value),
    )


@dataclasses.dataclass(frozen=True)
class Summary:
    """Of one quantity over all finished episodes; NaN where there was none."""

    mean: float
    std: float
    min: float
    max: float


def summarise(totals: Totals, reward: float | None = None) -> tuple[int, Summary, Summary]:
    """Number of episodes, and their returns and lengths, from NumPy totals of any shape: added in float64, in order.

    Args:
      reward: what every step paid, where the totals have no returns.
    """
    episodes = int(totals.episodes.sum(dtype=np.int64))
    if not episodes:
        empty = Summary(math.nan, math.nan, math.nan, math.nan)
        return 0, empty, empty
    sums = Returns(
        totals.length_center, totals.length_total, totals.length_squares, lowest=totals.shortest, highest=totals.longest
    )
    lengths = _summary(totals.episodes, sums, around_zero=True)
    if totals.returns is not None:
        return episodes, _summary(totals.episodes, totals.returns), lengths
    assert reward is not None
    extremes = sorted((reward * lengths.min, reward * lengths.max))
    return episodes, Summary(reward * lengths.mean, abs(reward) * lengths.std, *extremes), lengths


_PIECE = 2**15  # lanes whose numbers stay in the processor's cache


def _summary(count: np.ndarray, sums: Returns, around_zero: bool = False) -> Summary:
    """Of lanes that saw `count` values each. `around_zero`: their totals are of the values and not of deviations."""
    episodes, center, total, squares = (x.reshape(-1) for x in (count, sums.center, sums.total, sums.squares))
    # Sums around one center that is near all values, so that the squares keep their digits.
    middle = float(center[(episodes > 0).argmax()])
    deviations = np.zeros(2)
    for start in range(0, len(episodes), _PIECE):
        part = slice(start, start + _PIECE)
        own, number = center[part].astype(np.float64), episodes[part].astype(np.float64)
        apart = total[part] - (number * own if around_zero else 0.0)
        shift = own - middle
        moved = apart + number * shift  # of a lane without episodes 0, whatever its center
        deviations += moved.sum(), squares[part].sum(dtype=np.float64) + ((apart + moved) * shift).sum()
    mean, square = (deviations / episodes.sum(dtype=np.int64)).tolist()
    deviation = math.sqrt(max(square - mean**2, 0.0))
    return Summary(middle + mean, deviation, float(sums.lowest.min()), float(sums.highest.max()))
