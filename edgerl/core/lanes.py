"""The simulator's inner loop: many lanes, each of which plays one episode after another.

What makes it fast on a CPU: a lane's reset and its statistics are not computed on every step. Each lane keeps the next
episode's start ready and a mailbox for the last finished episode. Only when some lane has used up its start are all
used ones drawn anew and all full mailboxes emptied into the totals, which for CartPole is every twenty steps or so. A
start's key depends on the lane and the number of the episode alone, so that results do not depend on when that happens.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct

from edgerl.core import generator
from edgerl.core.compiling import one_kernel
from edgerl.core.deciding import LanesPolicy, Policy, Tabulated
from edgerl.core.environment import Environment, Params, State
from edgerl.core.statistics import Episode, Totals, add_episode, no_totals
from edgerl.core.unseen import Unseen

USED, ENDED = 1, 2

# Steps after which a lane's totals are put aside and begun anew: float32 sums of more episodes lose digits.
CHUNK = 2**18


@struct.dataclass
class Start:
    """The start of a lane's next episode.

    `flags` is a set of two bits: USED says that the start was used and the mailbox is full, ENDED that the episode
    ended on this step. Whole numbers and not booleans, since the compiler's vectors of booleans are slow.
    """

    obs: chex.Array
    state: State
    flags: chex.Array  # int32
    number: chex.Array  # uint32: how many starts were drawn in this lane


@struct.dataclass
class Lane:
    """Everything a lane carries from step to step."""

    obs: chex.Array
    state: State
    action: chex.Array | None  # what the policy chose on `obs`
    running: Episode
    mailbox: Episode
    start: Start
    totals: Totals


@struct.dataclass
class Transition:
    """What happened on one step. `next_obs` is the observation before any reset."""

    obs: chex.Array
    action: chex.Array
    reward: chex.Array
    terminated: chex.Array
    truncated: chex.Array
    next_obs: chex.Array


@struct.dataclass
class Streams:
    """Words uint32 scalars of a lane's three random streams, kept apart so that lanes are plain vectors."""

    start: tuple[chex.Array, chex.Array]
    policy: tuple[chex.Array, chex.Array]
    step: tuple[chex.Array, chex.Array]


def streams(base: chex.PRNGKey, lane: chex.Array) -> Streams:
    """The streams of lane number `lane` (uint32 scalar)."""
    words = (jax.random.key_data(jax.random.fold_in(jax.random.fold_in(base, i), lane)) for i in range(3))
    return Streams(*((w[0], w[1]) for w in words))


def _key(words: tuple[chex.Array, chex.Array], data: chex.Array, name: str) -> chex.PRNGKey:
    return jax.random.fold_in(generator.new_key(*words, name), data)


def _draw(env: Environment, params: Params, stream: Streams, number: chex.Array, name: str) -> Start:
    obs, state = env.reset(_key(stream.start, number, name), params)
    return Start(obs, state, jnp.int32(0), number + 1)


def _pick(condition: chex.Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _renew(
    env: Environment, params: Params, stream: Streams, start: Start, totals: Totals, mailbox: Episode, name: str
) -> tuple[Start, Totals]:
    """Where the start was used: a new one, and the mailbox emptied into the totals."""
    used = (start.flags & USED) != 0
    fresh = _pick(used, _draw(env, params, stream, start.number, name), start)
    return replace(fresh, flags=start.flags & ENDED), _pick(used, add_episode(totals, mailbox), totals)


def _begin(env: Environment, params: Params, stream: Streams, name: str) -> Lane:
    """A lane at the first observation of its first episode; its first action is still to choose."""
    obs, state = env.reset(_key(stream.start, jnp.uint32(0), name), params)
    zero = Episode(jnp.float32(0), jnp.int32(0))
    return Lane(
        obs=obs,
        state=state,
        action=None,
        running=zero,
        mailbox=zero,
        start=_draw(env, params, stream, jnp.uint32(1), name),
        totals=no_totals(),
    )


def _step(
    env: Environment, params: Params, stream: Streams, lane: Lane, time: chex.Array, name: str
) -> tuple[Transition, State]:
    """What the lane's action does: a transition, and the state that it leads to."""
    key = _key(stream.step, time, name)
    obs, state, reward, terminated, truncated, _ = env.step(key, lane.state, lane.action, params)
    return Transition(lane.obs, lane.action, reward, terminated, truncated, obs), state


def _settle(lane: Lane, happened: Transition, state: State) -> Lane:
    """The lane after the transition: where the episode ended, its record goes to the mailbox and the start begins."""
    ended = lane.start.flags >= ENDED
    running = Episode(lane.running.total_reward + happened.reward, lane.running.length + 1)
    zero = Episode(jnp.float32(0), jnp.int32(0))
    return replace(
        lane,
        obs=_pick(ended, lane.start.obs, happened.next_obs),
        state=_pick(ended, lane.start.state, state),
        running=_pick(ended, zero, running),
        mailbox=_pick(ended, running, lane.mailbox),
        start=replace(lane.start, flags=(lane.start.flags | (lane.start.flags >> 1)) & USED),
    )


def lane_bytes(env: Environment, params: Params) -> int:
    """Memory that one lane's state takes while it is stepped: everything carried, the random streams included."""

    def lane(base: chex.PRNGKey) -> Any:
        stream = streams(base, jnp.uint32(0))
        begun = _begin(env, params, stream, generator.NAME)
        return stream, replace(begun, action=env.action_space(params).sample(base))

    shapes = jax.eval_shape(lane, generator.new_key(jnp.uint32(0), jnp.uint32(0)))
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(shapes))


def _any(x: chex.Array) -> chex.Array:
    """Scalar bool: any of bool [B]. In two steps, of which the compiler vectorises the first, as wide as a vector."""
    rows = x.astype(jnp.int32).reshape(-1, math.gcd(x.size, 16))
    return jnp.max(jax.lax.optimization_barrier(jnp.max(rows, axis=0))) > 0


def run_block(
    env: Environment,
    policy: Policy,
    params: Params,
    params_axes: Any,
    stream: Streams,
    num_steps: int,
    name: str,
    trajectory: bool,
    separate: bool,
    blank: chex.Array | None,
) -> tuple[Totals, Transition | None]:
    """Plays `num_steps` steps in each of B lanes.

    Args:
      params: environment parameters; leaves whose entry in `params_axes` is -1 hold a value a lane.
      stream: words [B].
      trajectory: whether to return what happened on every step, arrays [num_steps, ..., B].
      separate: whether the environments' part of a step is a kernel of its own, apart from the policy's.
      blank: what a policy that does not look at observations gets for one; else None.
    Returns:
      totals [chunks, B], whose sum over the chunks counts, and the trajectory or None.
    """
    states, env = env, env if blank is None else Unseen(env)  # type: ignore[assignment]
    last = -1  # the lanes are the last axis of everything, so that short vectors do not stop the vector unit

    def many(function: Callable[..., Any], *arguments: Any, axes: tuple[Any, ...]) -> Any:
        return jax.vmap(function, in_axes=axes, out_axes=last)(*arguments)

    def renew(start: Start, totals: Totals, mailbox: Episode) -> tuple[Start, Totals]:
        return many(
            lambda p, s, a, t, m: _renew(env, p, s, a, t, m, name),
            params,
            stream,
            start,
            totals,
            mailbox,
            axes=(params_axes, last, last, last, last),
        )

    def world(lane: Lane, time: chex.Array) -> tuple[Lane, Transition | None]:
        happened, state = many(
            lambda p, s, x: _step(env, p, s, x, time, name), params, stream, lane, axes=(params_axes, last, last)
        )
        ended = jnp.where(happened.terminated | happened.truncated, ENDED, 0)
        start = replace(lane.start, flags=lane.start.flags + ended)
        # A loop of at most one turn: unlike a conditional, it updates its arrays in place.
        start, totals = jax.lax.while_loop(
            lambda carry: _any(carry[0].flags == USED + ENDED),
            lambda carry: renew(*carry, lane.mailbox),
            (start, lane.totals),
        )
        lane = many(_settle, replace(lane, start=start, totals=totals), happened, state, axes=(last, last, last))
        return lane, happened if trajectory else None

    def act(lane: Lane, time: chex.Array) -> Lane:
        if isinstance(policy, Tabulated):
            return replace(lane, action=policy(many(states.number_of, lane.state, axes=(last,))))  # type: ignore[attr-defined]
        if isinstance(policy, LanesPolicy):
            return replace(lane, action=policy.lanes(lane.obs))
        choose = lambda words, obs: policy(_key(words, time, name), obs)  # noqa: E731
        obs, axis = (lane.obs, last) if blank is None else (blank, None)
        return replace(lane, action=many(choose, stream.policy, obs, axes=(last, axis)))

    def step(lane: Lane, time: chex.Array) -> tuple[Lane, Transition | None]:
        lane, happened = one_kernel(world, lane, time) if separate else world(lane, time)
        return act(lane, time + 1), happened

    def chunk(lane: Lane, number: chex.Array) -> tuple[Lane, Totals]:
        times = number * CHUNK + jnp.arange(CHUNK, dtype=jnp.uint32)
        lane, _ = jax.lax.scan(step, lane, times)
        empty = jax.tree.map(lambda new, old: jnp.broadcast_to(new, old.shape), no_totals(), lane.totals)
        return replace(lane, totals=empty), lane.totals

    lane = act(many(lambda p, s: _begin(env, p, s, name), params, stream, axes=(params_axes, last)), jnp.uint32(0))
    chunks = 0 if trajectory else (num_steps - 1) // CHUNK
    if chunks:
        lane, aside = jax.lax.scan(chunk, lane, jnp.arange(chunks, dtype=jnp.uint32))
    lane, record = jax.lax.scan(step, lane, jnp.arange(chunks * CHUNK, num_steps, dtype=jnp.uint32))
    totals = jax.tree.map(lambda x: x[None], renew(lane.start, lane.totals, lane.mailbox)[1])
    if chunks:
        totals = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), aside, totals)
    return totals, record
