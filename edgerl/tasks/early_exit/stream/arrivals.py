"""When frames arrive: a two-state chain that sends calmly or in bursts, or a recorded trace."""

import dataclasses
import functools
from typing import NamedTuple

import chex
import jax.numpy as jnp
from flax import struct


@struct.dataclass
class Source:
    """What sends frames. In each of two states they come as a Poisson process; equal rates make one of all.

    The state is left at exponential times, but for the time in which the device computes: then it is left, if at all,
    at the end of the stage, with the chain's own probability.
    """

    rate_calm: chex.Numeric = 0.1  # frames a second
    rate_busy: chex.Numeric = 1.0
    leave_calm: chex.Numeric = 1e-3  # a second, to the busy state
    leave_busy: chex.Numeric = 5e-2
    memory_s: chex.Numeric = 10.0  # of the mean that is observed
    gaps_s: chex.Array | None = None  # float32 [T]: a trace instead, seconds from frame to frame, begun anew at its end


class SourceState(NamedTuple):
    """Of a chain whether it is busy; of a trace which frame comes next, and when."""

    busy: chex.Array  # bool
    mark: chex.Array | None = None  # int32, of the gap after the next frame
    gap: chex.Array | None = None  # float32, seconds until the next frame


class Arrivals(NamedTuple):
    """What comes during one step."""

    pause: chex.Array  # float32, seconds until the pause is over; 0 where there is none
    first: chex.Array  # bool: a frame ended the pause
    times: tuple[chex.Array, ...]  # float32, of the next places + 1 frames, seconds from now, rising
    busy: chex.Array  # bool: the source's state after the pause


def start(source: Source, u: chex.Array, v: chex.Array) -> SourceState:
    """A source's state at a random time, by uniform numbers in [0, 1)."""
    busy = u < source.leave_calm / (source.leave_calm + source.leave_busy)
    if source.gaps_s is None:
        return SourceState(busy)
    count = source.gaps_s.shape[-1]
    mark = jnp.minimum((v * count).astype(jnp.int32), count - 1)
    return SourceState(jnp.zeros_like(busy), (mark + 1) % count, jnp.asarray(source.gaps_s)[mark])


def arrive(
    source: Source,
    state: SourceState,
    u: tuple[chex.Array, ...],
    v: chex.Array,
    pauses: chex.Array,
    longest: chex.Numeric,
) -> Arrivals:
    """The next frames. A pause ends with the first of them, when the source changes its state, or after `longest`.

    Args:
      u: places + 1 uniform numbers in [0, 1), for the gaps between frames; v: for the change of state.
      pauses: bool, whether the device pauses before it computes, if it does.
    """
    gaps, change = _gaps(source, state, u), jnp.float32(jnp.inf)
    if source.gaps_s is None:
        change = _exponential(v) / jnp.where(state.busy, source.leave_busy, source.leave_calm)
    times = [gaps[0]]
    for gap in gaps[1:]:
        times.append(times[-1] + gap)
    limit = jnp.minimum(change, longest)
    first = pauses & (times[0] <= limit)
    pause = jnp.where(pauses, jnp.minimum(times[0], limit), 0.0)
    changes = pauses & ~first & (change <= longest)
    return Arrivals(pause, first, tuple(times), state.busy ^ changes)


def _gaps(source: Source, state: SourceState, u: tuple[chex.Array, ...]) -> list[chex.Array]:
    """Seconds until the next frame, and from each of the next to the one after it."""
    if source.gaps_s is None:
        mean = 1 / jnp.where(state.busy, source.rate_busy, source.rate_calm)
        return [_exponential(x) * mean for x in u]
    assert state.mark is not None  # of a trace
    assert state.gap is not None
    return [state.gap, *(_trace(source, state.mark + i) for i in range(len(u) - 1))]


def later(
    source: Source, state: SourceState, came: Arrivals, recent: chex.Array, seconds: chex.Array, u: chex.Array
) -> tuple[SourceState, chex.Array, chex.Array]:
    """After a step of so many seconds: (the state, the mean of the arrivals, float32 how many there were)."""
    there = [time <= seconds for time in came.times]
    arrived = functools.reduce(jnp.add, [jnp.where(x, 1.0, 0.0) for x in there])
    mean = recent * jnp.exp(-seconds / source.memory_s) + arrived / source.memory_s
    if source.gaps_s is not None:
        assert state.mark is not None
        mark = (state.mark + arrived.astype(jnp.int32)) % source.gaps_s.shape[-1]
        gap = _trace(source, mark - 1)  # where more frames would come than can arrive in one step, they are put off
        for x, time in zip(there[::-1], came.times[::-1], strict=True):
            gap = jnp.where(x, gap, time - seconds)
        return SourceState(state.busy, mark, gap), mean, arrived
    both = source.leave_calm + source.leave_busy
    share = source.leave_calm / both
    worked = seconds - came.pause
    busy = u < share + (came.busy - share) * jnp.exp(-both * worked)
    return SourceState(jnp.where(worked > 0, busy, came.busy)), mean, arrived


def _exponential(u: chex.Array) -> chex.Array:
    """Exponential with mean 1, of a uniform number in [0, 1)."""
    return -jnp.log(1 - u)


def _trace(source: Source, index: chex.Array) -> chex.Array:
    gaps = jnp.asarray(source.gaps_s)
    return gaps.at[index % gaps.shape[-1]].get(mode="promise_in_bounds")


def faster(source: Source, factor: chex.Numeric) -> Source:
    """With so many times as many frames."""
    more = dataclasses.replace(source, rate_calm=source.rate_calm * factor, rate_busy=source.rate_busy * factor)
    return more if source.gaps_s is None else dataclasses.replace(more, gaps_s=source.gaps_s / factor)
