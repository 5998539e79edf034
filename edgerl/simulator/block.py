"""A block of lanes stepped together: the simulator's inner loop, one compiled program."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import chex
import jax
import jax.numpy as jnp

from edgerl.envs import actions
from edgerl.envs.deciding import LanesPolicy, Policy, Tabulated, decide, states_of
from edgerl.envs.environment import Environment, Params, State
from edgerl.envs.spaces import Space
from edgerl.simulator import lanes
from edgerl.simulator.lanes import Kept, Lane, Rewards, Streams, Transition
from edgerl.simulator.shortcuts import Constants, Unseen
from edgerl.simulator.statistics import Totals, no_totals
from edgerl.simulator.xla import STEP_READS, Trick, any_lane, in_one_loop, once_if, one_kernel, steps_a_turn, uses

# Steps after which a lane's totals are put aside and begun anew: float32 sums of more episodes lose digits.
CHUNK = 2**18


def _reads(known: Constants, params: Params, state: State) -> int:
    """How many arrays the loop of an environment's step reads."""
    starts = [x for x in jax.tree.leaves(known.start[1], is_leaf=lanes.is_none) if x is None]
    return len(jax.tree.leaves(state)) + len(starts) + len(_arrays(params)) + STEP_READS


def _arrays(tree: Any) -> list[Any]:
    return [x for x in jax.tree.leaves(tree) if isinstance(x, jax.Array)]


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
    known: Constants,
    space: Space,
    checked: bool,
) -> tuple[Totals, Transition | None, chex.Array | None]:
    """Plays `num_steps` steps in each of B lanes.

    Args:
      params: environment parameters; leaves whose entry in `params_axes` is -1 hold a value a lane.
      stream: words [B].
      trajectory: whether to return what happened on every step, arrays [num_steps, ..., B].
      separate: whether the environments' part of a step is a kernel of its own, apart from the policy's.
      blank: what a policy that does not look at observations gets for one; else None.
      known: what is the same on every step or at every start.
      space: of the actions; `checked`: whether to watch that they stay inside it.
    Returns:
      totals [chunks, B], whose sum over the chunks counts; the trajectory or None; `actions.outside` [B] or None.
    """
    states, nothing = env, states_of(policy)
    if blank is not None:
        env, known = Unseen(env), replace(known, start=((), known.start[1]))  # type: ignore[assignment]
    last = -1  # the lanes are the last axis of everything, so that short vectors do not stop the vector unit

    def many(function: Callable[..., Any], *arguments: Any, axes: tuple[Any, ...]) -> Any:
        return jax.vmap(function, in_axes=axes, out_axes=last)(*arguments)

    def draw_starts(kept: Kept, rewards: Rewards | None) -> Kept:
        axes = (params_axes, last, last, last)
        return many(
            lambda p, s, k, r: lanes.draw_starts(env, p, s, k, r, name), params, stream, kept, rewards, axes=axes
        )

    def reset_ended(lane: Lane, time: chex.Array) -> Lane:
        used_up = lambda kept: any_lane((kept.ends & 1 != 0) & (kept.ends > 1))  # noqa: E731
        kept = once_if(used_up, lambda kept: draw_starts(kept, lane.rewards), lane.kept)
        return many(lambda x: lanes.reset_ended(x, time, known, nothing), replace(lane, kept=kept), axes=(last,))

    def act(lane: Lane, time: chex.Array) -> tuple[Lane, chex.Array]:
        """The lane with what the policy then remembers, and its action."""
        action, memory = decided(lane, time)
        return replace(lane, memory=memory), actions.as_action(space, action)

    def decided(lane: Lane, time: chex.Array) -> tuple[chex.Array, Any]:
        if isinstance(policy, Tabulated):
            return policy(many(states.number_of, lane.state, axes=(last,))), None  # type: ignore[attr-defined]
        if isinstance(policy, LanesPolicy) and uses(Trick.LANES):
            return (policy.lanes(lane.obs), None) if nothing is None else policy.lanes(lane.obs, lane.memory)  # type: ignore[call-arg]
        choose = lambda words, obs, memory: decide(policy, lanes.key_of(words, time, name), obs, memory)  # noqa: E731
        obs, axis = (lane.obs, last) if blank is None else (blank, None)
        return many(choose, stream.policy, obs, lane.memory, axes=(last, axis, last))

    def take_step(lane: Lane, action: chex.Array, time: chex.Array) -> tuple[Lane, Transition | None]:
        step = lambda p, s, x, a: lanes.step(env, p, s, x, a, time, name)  # noqa: E731
        if lane.outside is not None:
            left = actions.outside(space, action)
            lane = replace(lane, outside=jnp.where(left != 0, left, lane.outside))
        lane, happened = many(step, params, stream, lane, action, axes=(params_axes, last, last, last))
        ends, state = in_one_loop((lane.kept.ends, lane.state), _reads(known, params, lane.state))
        kept = replace(lane.kept, ends=ends)
        return replace(
            lane, state=state, rewards=in_one_loop(lane.rewards), kept=kept
        ), happened if trajectory else None

    def step(carry: Any, _: None) -> tuple[Any, Transition | None]:
        lane, action, time = carry
        if separate:
            lane, happened = one_kernel(world, lane, action, time)
            return (*act(lane, time + 1), time + 1), happened
        lane = reset_ended(lane, time)
        lane, happened = take_step(*act(lane, time), time)
        return (lane, None, time + 1), happened

    def world(lane: Lane, action: chex.Array, time: chex.Array) -> tuple[Lane, Transition | None]:
        lane, happened = take_step(lane, action, time)
        return reset_ended(lane, time + 1), happened

    def play(carry: Any, steps: int) -> tuple[Any, Transition | None]:
        return jax.lax.scan(step, carry, None, steps, unroll=1 if separate else steps_a_turn())

    def chunk(carry: Any, _: None) -> tuple[Any, Totals]:
        (lane, *others), _none = play(carry, CHUNK)
        totals = lane.kept.totals
        empty = no_totals(totals.returns is not None)
        empty = jax.tree.map(lambda new, old: jnp.broadcast_to(new, old.shape), empty, totals)
        return (replace(lane, kept=replace(lane.kept, totals=empty)), *others), totals

    begin = lambda p, s: lanes.reset(env, p, s, name, known, checked, nothing)  # noqa: E731
    lane = many(begin, params, stream, axes=(params_axes, last))
    carry = *(act(lane, jnp.uint32(0)) if separate else (lane, None)), jnp.uint32(0)
    chunks = 0 if trajectory else (num_steps - 1) // CHUNK
    if chunks:
        carry, aside = jax.lax.scan(chunk, carry, None, chunks)
    (lane, _, time), record = play(carry, num_steps - chunks * CHUNK)
    lane = reset_ended(lane, time)
    totals = jax.tree.map(lambda x: x[None], draw_starts(lane.kept, lane.rewards).totals)
    if chunks:
        totals = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), aside, totals)
    return totals, record, lane.outside
