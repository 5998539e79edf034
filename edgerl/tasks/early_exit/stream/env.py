"""ExitStream-v0: frames arrive at a device with a queue, deadlines and a battery; what to compute next?

A step is one decision and all the time until the next one. Action:
  0 CONTINUE  compute the next exit of the frame under way; where there is none left, as 1
  1 OLDEST    answer the frame under way with the exit reached, then compute the first exit of the oldest frame waiting
  2 NEWEST    the same with the newest frame waiting
  3 SLEEP     answer, then sleep until a frame arrives, `pause_s` at most
Where 1 or 2 find no frame, the device waits for one, awake, `pause_s` at most. A stage is begun only if it ends before
the frame's deadline and the battery pays for it: a frame that cannot go on is answered, a device that cannot pay for a
first exit sleeps. A frame that waited too long to be answered in time is lost, and so is the oldest where the queue is
full. A device that slept takes `wake_s` and `wake_j` before it computes.

Reward: 1 for a right answer in time. Truncated after `horizon_s`; an empty battery ends nothing, frames are lost.

Observation: float32 [12], see `NAMES`; three more where conditions are drawn per episode. The source's state is hidden.
"""

import dataclasses
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.environment import Step
from edgerl.envs.spaces import Box, Discrete
from edgerl.simulator.trigonometry import direction
from edgerl.simulator.xla import in_one_loop
from edgerl.tasks.early_exit.draws import below, between, unit
from edgerl.tasks.early_exit.stream import arrivals, power, queue
from edgerl.tasks.early_exit.stream.parts import (
    ASLEEP,
    CONDITIONS,
    CONTINUE,
    DRAWN,
    IDLE,
    NAMES,
    NEWEST,
    SLEEP,
    Learning,
    StreamParams,
    StreamState,
)
from edgerl.tasks.early_exit.table.packing import unpack
from edgerl.util.content import ByContent


class _Plan(NamedTuple):
    """What a decision comes to: one of the first four, bool scalars each."""

    goes: chex.Array  # on with the frame under way
    takes: chex.Array  # a frame from the queue
    waits: chex.Array  # for one, awake
    sleeps: chex.Array
    pauses: chex.Array  # one of the last two
    answers: chex.Array  # the frame under way
    newest: chex.Array  # of the queue's frames, if one is taken
    age: chex.Array  # float32, of the frame to be computed
    work_s: chex.Array  # float32, what that takes, waking up included
    work_j: chex.Array


@dataclasses.dataclass(frozen=True, eq=False)
class ExitStream(ByContent):
    """The environment; see the module's docstring. Make it with `edgerl.make("ExitStream-v0")` or `factory.from_table`.

    Attributes:
      exits: K, the network's exits.
      places: of the queue. As many frames, and one more, may arrive during one step.
      draw: the load, the battery's capacity and the sun are drawn for each episode, by `low` and `high`, and observed.
      learning: how the reward is changed for learning; None: not at all.
    """

    exits: int
    default_params: StreamParams = dataclasses.field(repr=False)
    places: int = 4
    draw: bool = False
    learning: Learning | None = None
    id: str = "ExitStream-v0"

    @property
    def observation_names(self) -> tuple[str, ...]:
        """What each number of an observation is."""
        meaning = NAMES | (DRAWN if self.draw else {})
        return tuple(f"{name}: {text}" for name, text in meaning.items())

    @property
    def action_names(self) -> tuple[str, ...]:
        """What the actions do."""
        return (
            "compute the next exit of this frame",
            "answer, then the oldest frame waiting",
            "answer, then the newest frame waiting",
            "answer, then sleep until a frame arrives",
        )

    def observation_space(self, params: StreamParams | None = None) -> Box:
        """All numbers from 0 to 1, but for sine and cosine."""
        names = [*NAMES, *(CONDITIONS if self.draw else ())]
        return Box(tuple(-1.0 if name.startswith("day") else 0.0 for name in names), 1.0, (len(names),))

    def action_space(self, params: StreamParams | None = None) -> Discrete:
        """0: continue, 1: oldest, 2: newest, 3: sleep."""
        return Discrete(4)

    def reset(self, key: chex.PRNGKey, params: StreamParams | None = None) -> tuple[chex.Array, StreamState]:
        """At a random time of a random day, charge drawn uniformly, asleep, nothing waiting. The key is consumed."""
        p = self.default_params if params is None else params
        u = unit(jax.random.bits(key, (8,), jnp.uint32))
        condition = u[5:8] if self.draw else None
        p = self._conditioned(p, condition)
        none = jnp.float32(0)
        state = StreamState(
            position=jnp.int32(ASLEEP),
            age=none,
            ages=(jnp.full_like(none, jnp.inf),) * self.places,
            source=arrivals.start(p.source, u[0], u[4]),
            battery=u[1] * p.supply.capacity_j,
            clock=u[2] * p.supply.day_s,
            sky=power.clear(p.supply, u[3]),
            recent=none,
            elapsed=none,
            condition=condition,
        )
        return self._observe(state, p), state

    def step(
        self, key: chex.PRNGKey, state: StreamState, action: chex.Array, params: StreamParams | None = None
    ) -> Step:
        """One decision. The key is consumed. `info`: seconds, frames and joules of the step, and the exit answered at.

        What is needed more than once is computed in loops of its own (`in_one_loop`), which is two times as fast.
        """
        p = self._conditioned(self.default_params if params is None else params, state.condition)
        bits = jax.random.bits(key, (self.places + 5,), jnp.uint32)
        u = [unit(bits[i]) for i in range(self.places + 4)]
        s, plan = state, in_one_loop(self._plan(p, state, action))
        came = in_one_loop(arrivals.arrive(p.source, s.source, tuple(u[:-3]), u[-3], plan.pauses, p.pause_s))

        # A pause lasts until a frame arrives. What is computed after it lasts as the stage does.
        at_once = plan.waits & came.first
        computes = plan.goes | plan.takes | at_once
        seconds = came.pause + jnp.where(computes, plan.work_s, 0.0)
        spent = jnp.where(computes, plan.work_j, 0.0)
        spent = spent + came.pause * jnp.where(plan.waits, p.supply.idle_w, p.supply.sleep_w)
        battery, harvested = power.charge(p.supply, s.battery, s.clock, s.sky, seconds, spent)
        clock, sky = power.later(p.supply, s.clock, s.sky, seconds, u[-1])
        source, recent, arrived = arrivals.later(p.source, s.source, came, s.recent, seconds, u[-2])
        begun = jnp.where(plan.takes | at_once, below(bits[-1], p.words.shape[-1] // self.exits) * self.exits, IDLE)
        position = jnp.where(plan.goes, s.position + 1, jnp.where(plan.sleeps, ASLEEP, begun)).astype(jnp.int32)
        age = jnp.where(computes, plan.age + plan.work_s, 0.0)
        seconds, spent, battery, harvested, recent, arrived, position, age, source = in_one_loop(
            (seconds, spent, battery, harvested, recent, arrived, position, age, source)
        )
        ages, lost = self._queued(p, s, plan, came, seconds, at_once)
        elapsed = s.elapsed + seconds
        new = StreamState(position, age, ages, source, battery, clock, sky, recent, elapsed, s.condition)
        right = jnp.where(plan.answers & (s.age <= p.deadline_s), self._worth(p, s.position), 0.0)
        truncated = elapsed >= p.horizon_s
        info = {
            "seconds": seconds,
            "arrived": arrived,
            "answered": plan.answers,
            "right": right,
            "lost": lost,
            "exit": jnp.where(plan.answers, s.position % self.exits, -1),
            "spent_j": spent,
            "harvested_j": harvested,
        }
        reward = right
        if self.learning is not None:
            info["discount"] = jnp.exp(-seconds / self.learning.discount_s)
            shaped = self.learning.joule * (info["discount"] * battery - s.battery)
            reward = right - self.learning.toll * arrived + shaped
        return self._observe(new, p), new, reward, jnp.zeros_like(truncated), truncated, info

    def _plan(self, p: StreamParams, s: StreamState, action: chex.Array) -> "_Plan":
        """What is done next, as far as deadline and battery allow what was decided."""
        stage_s, stage_j = jnp.asarray(p.stage_s), jnp.asarray(p.stage_j)
        busy, exit = s.position >= 0, s.position % self.exits
        after = jnp.minimum(exit + 1, self.exits - 1)
        next_s, next_j = (at(x, after) for x in (stage_s, stage_j))
        goes = busy & (action == CONTINUE) & (exit < self.exits - 1)
        goes = goes & (s.age + next_s <= p.deadline_s) & (s.battery >= next_j)
        first_s, first_j = stage_s[0], stage_j[0]
        woken = s.position == ASLEEP
        first_s, first_j = (jnp.where(woken, x + y, x) for x, y in ((first_s, p.wake_s), (first_j, p.wake_j)))
        sleeps = ~goes & ((action == SLEEP) | (s.battery < first_j))
        empty = s.ages[0] == jnp.inf
        takes, waits = ~goes & ~sleeps & ~empty, ~goes & ~sleeps & empty
        taken = jnp.where(action == NEWEST, s.ages[0], queue.oldest(s.ages))
        return _Plan(
            goes=goes,
            takes=takes,
            waits=waits,
            sleeps=sleeps,
            pauses=sleeps | waits,
            answers=busy & ~goes,
            newest=action == NEWEST,
            age=jnp.where(goes, s.age, jnp.where(takes, taken, 0.0)),
            work_s=jnp.where(goes, next_s, first_s),
            work_j=jnp.where(goes, next_j, first_j),
        )

    def _queued(
        self, p: StreamParams, s: StreamState, plan: "_Plan", came: arrivals.Arrivals, seconds: Any, at_once: Any
    ) -> tuple[queue.Ages, chex.Array]:
        """(the queue after a step, float32 how many frames were lost from it)."""
        others = queue.take(s.ages, plan.newest)
        ages = tuple(jnp.where(plan.takes, a, b) + seconds for a, b in zip(others, s.ages, strict=True))
        joins = [time <= seconds for time in came.times]
        joins[0] = joins[0] & ~at_once
        ages, pushed = queue.add(ages, tuple(seconds - time for time in came.times), tuple(joins))
        ages, late = queue.expire(in_one_loop(ages), p.deadline_s - jnp.asarray(p.stage_s)[0])
        return ages, pushed + late

    def _worth(self, p: StreamParams, position: chex.Array) -> chex.Array:
        word = unpack(_read(p.words, position))
        return word.correct if self.learning is None else word.probability

    def _observe(self, s: StreamState, p: StreamParams) -> chex.Array:
        busy = s.position >= 0
        word, exit = unpack(_read(p.words, s.position)), jnp.maximum(s.position, 0) % self.exits
        oldest = queue.oldest(s.ages)
        cosine, sine = direction(s.clock * (2 * np.pi / p.supply.day_s))
        frame = [word.probability, word.margin, word.agreement, (exit + 1) * np.float32(1 / self.exits)]
        own = [jnp.where(busy, x, 0.0) for x in (*frame, _share(p.deadline_s - s.age, p.deadline_s))]
        seen = [
            queue.count(s.ages) * np.float32(1 / self.places),
            jnp.where(oldest < jnp.inf, _share(p.deadline_s - oldest, p.deadline_s), 1.0),
            _share(s.battery, p.supply.capacity_j),
            power.light(p.supply, s.clock, s.sky),
            sine,
            cosine,
            _share(s.recent, p.source.rate_busy),
        ]
        drawn = [] if s.condition is None else list(s.condition)
        return jnp.stack([jnp.asarray(x, jnp.float32) for x in (*own, *seen, *drawn)])

    def _conditioned(self, p: StreamParams, condition: chex.Array | None) -> StreamParams:
        """With an episode's load, capacity and sun."""
        if condition is None:
            return p
        load, capacity, sun = between(condition, jnp.asarray(p.low), jnp.asarray(p.high))
        supply = dataclasses.replace(
            p.supply, capacity_j=p.supply.capacity_j * capacity, panel_w=p.supply.panel_w * sun
        )
        return dataclasses.replace(p, source=arrivals.faster(p.source, load), supply=supply)


def at(values: chex.Array, index: chex.Array) -> chex.Array:
    """`values[index]` by choosing among the few: vector units are slow at reading from places of their own."""
    chosen = values[0]
    for k in range(1, values.shape[0]):
        chosen = jnp.where(index == k, values[k], chosen)
    return chosen


def _read(words: chex.Array, position: chex.Array) -> chex.Array:
    return jnp.asarray(words).at[jnp.maximum(position, 0)].get(mode="promise_in_bounds")


def _share(part: chex.Numeric, whole: chex.Numeric) -> chex.Array:
    return jnp.clip(part / whole, 0.0, 1.0)
