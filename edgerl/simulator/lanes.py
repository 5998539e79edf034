"""A lane: one environment that plays one episode after another. Unbatched; `block` steps many at once.

What makes it fast on a CPU: a lane's reset and its statistics are not computed on every step. Each lane keeps the next
episode's start ready and a mailbox for the last finished episode. Only when some lane has used up its start are all
used ones drawn anew and all full mailboxes emptied into the totals, which for CartPole is every twenty steps or so. A
start's key depends on the lane and the number of the episode alone, so that results do not depend on when that happens.

A lane that has just ended begins its next episode at the start of the next step and not at the end of this one: what
the step computed is then written once, after the check for used starts, and not twice.
"""

from dataclasses import replace
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct

from edgerl.envs import prng
from edgerl.envs.environment import Environment, Params, State, take_step
from edgerl.envs.forms import environment_forms
from edgerl.simulator.shortcuts import Constants, constants_of
from edgerl.simulator.statistics import Totals, add_episode, no_totals


@struct.dataclass
class Start:
    """The start of a lane's next episode."""

    obs: chex.Array
    state: State
    number: chex.Array  # uint32: how many starts were drawn in this lane


@struct.dataclass
class Kept:
    """What a lane keeps of its episodes, and renews now and then.

    `ends` says two things in one word, since what is moved through memory is what costs time: its lowest bit is set if
    the last step ended the episode; the others count the steps that the lane had taken when the episode in the mailbox
    ended, 0 while the mailbox is empty and the start fresh. A whole number and not booleans, whose vectors are slow.
    """

    ends: chex.Array  # uint32
    start: Start
    begun: chex.Array  # uint32: steps taken when the last episode that is in the totals ended
    totals: Totals


@struct.dataclass
class Rewards:
    """Sums of rewards, float32."""

    running: chex.Array  # of the running episode
    mailbox: chex.Array  # of the last finished one


@struct.dataclass
class Lane:
    """Everything a lane carries from step to step."""

    obs: chex.Array
    state: State
    rewards: Rewards | None  # None where every step pays the same
    kept: Kept
    outside: chex.Array | None = None  # int32: an action outside the action space, see `actions`; None if unchecked
    memory: Any = None  # what a policy with memory remembers of the running episode


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


def key_of(words: tuple[chex.Array, chex.Array], number: chex.Array, name: str) -> chex.PRNGKey:
    """The key of a stream's words for the episode or the step with this number."""
    return prng.nth_key(*words, number, name)


def _draw(env: Environment, params: Params, stream: Streams, number: chex.Array, name: str) -> Start:
    obs, state = env.reset(key_of(stream.start, number, name), params)
    return Start(obs, state, number + 1)


def _pick(condition: chex.Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def is_none(x: Any) -> bool:
    """For trees in which None stands for a leaf."""
    return x is None


def reset(
    env: Environment, params: Params, stream: Streams, name: str, known: Constants, checked: bool, nothing: Any = None
) -> Lane:
    """A lane at the first observation of its first episode, of which the policy remembers `nothing`."""
    obs, state = env.reset(key_of(stream.start, jnp.uint32(0), name), params)
    start = _draw(env, params, stream, jnp.uint32(1), name)
    none, zero = jnp.uint32(0), jnp.float32(0)
    rewards = Rewards(zero, zero) if known.reward is None else None
    kept = Kept(none, start, none, no_totals(rewards is not None))
    return Lane(obs, state, rewards, kept, jnp.int32(0) if checked else None, nothing)


def draw_starts(
    env: Environment, params: Params, stream: Streams, kept: Kept, rewards: Rewards | None, name: str
) -> Kept:
    """Where the start was used: a new one, and the mailbox emptied into the totals."""
    used, end = kept.ends > 1, kept.ends >> 1
    value = None if rewards is None else rewards.mailbox
    totals = add_episode(kept.totals, value, (end - kept.begun).astype(jnp.int32))
    start = _draw(env, params, stream, kept.start.number, name)
    return replace(_pick(used, Kept(kept.ends, start, end, totals), kept), ends=kept.ends & 1)


def reset_ended(lane: Lane, time: chex.Array, known: Constants, nothing: Any = None) -> Lane:
    """Where the last step, of `time` in all, ended an episode: its record goes to the mailbox and the start begins.

    Args:
      nothing: what a policy with memory remembers then; None without.
    """
    kept, rewards, ended = lane.kept, lane.rewards, (lane.kept.ends & 1) != 0
    own = kept.start.obs, kept.start.state
    start = jax.tree.map(lambda always, x: x if always is None else always, known.start, own, is_leaf=is_none)
    obs, state = _pick(ended, start, (lane.obs, lane.state))
    if rewards is not None:
        rewards = _pick(ended, Rewards(jnp.float32(0), rewards.running), rewards)
    ends = jnp.where(ended, time << 1, kept.ends & ~jnp.uint32(1))
    memory = _pick(ended, nothing, lane.memory)
    return Lane(obs, state, rewards, replace(kept, ends=ends), lane.outside, memory)


def step(
    env: Environment, params: Params, stream: Streams, lane: Lane, action: chex.Array, time: chex.Array, name: str
) -> tuple[Lane, Transition]:
    """The lane after the action, which is its step number `time`, and what happened."""
    key, rewards = key_of(stream.step, time, name), lane.rewards
    obs, state, reward, terminated, truncated, _ = take_step(env, key, lane.state, action, params)
    happened = Transition(lane.obs, action, reward, terminated, truncated, obs)
    if rewards is not None:
        rewards = replace(rewards, running=rewards.running + reward)
    ends = lane.kept.ends | (terminated | truncated).astype(jnp.uint32)
    return Lane(obs, state, rewards, replace(lane.kept, ends=ends), lane.outside, lane.memory), happened


def lane_bytes(env: Environment, params: Params) -> int:
    """Memory that one lane's state takes while it is stepped: everything carried, the random streams included."""
    known = constants_of(env, environment_forms("lane_bytes", env, params))

    def lane(base: chex.PRNGKey) -> Any:
        stream = streams(base, jnp.uint32(0))
        return stream, reset(env, params, stream, prng.NAME, known, False), env.action_space(params).sample(base)

    shapes = jax.eval_shape(lane, prng.new_key(jnp.uint32(0), jnp.uint32(0)))
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(shapes))
