"""EarlyExit-v0: one image an episode; after every exit of a frozen network, stop there or go on to the next.

Observation: float32 [4 + extras], of the exit that has just answered:
  0  confidence, 1 - H / log C of its calibrated probabilities, in [0, 1]
  1  exit, 0 for the first to 1 for the last
  2  latency so far over its budget, at least 0
  3  compute budget that remains, as a share of it: at most 1, below 0 where it is overdrawn
  then those of `extras`, in their order: margin, agreement, probability; and the preference, where it is drawn.
Action: 0 CONTINUE, 1 EXIT. At the last exit the episode ends whatever the action.
Reward: 0 until the end, then alpha * correct - beta * latency - gamma * compute - delta * energy, each cost as a share
of its budget and up to the exit taken. So an episode's return is its objective. Never truncated.
"""

import dataclasses
from typing import Literal

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.environment import Step
from edgerl.envs.spaces import Box, Discrete
from edgerl.tasks.early_exit.draws import below, between, unit
from edgerl.tasks.early_exit.table.packing import unpack
from edgerl.util.content import ByContent

CONTINUE, EXIT = 0, 1
EXTRAS = ("margin", "agreement", "probability")

Extra = Literal["margin", "agreement", "probability"]


@struct.dataclass
class EarlyExitParams:
    """What an episode costs and pays. Any field may be an array under `vmap`; the words rarely should be."""

    words: chex.Array  # uint32 [n * K], see `packing`
    macs: chex.Array  # float32 [K], cumulative
    latency_ms: chex.Array  # float32 [K], cumulative
    energy_mj: chex.Array  # float32 [K], cumulative
    max_macs: chex.Numeric  # budgets
    max_latency_ms: chex.Numeric
    max_energy_mj: chex.Numeric
    alpha: chex.Numeric = 1.0  # weight of a correct answer
    beta: chex.Numeric = 0.5  # of latency over its budget
    gamma: chex.Numeric = 0.3  # of compute over its budget
    delta: chex.Numeric = 0.0  # of energy over its budget
    budget_low: chex.Numeric = 1.0  # all budgets are multiplied by a factor drawn log-uniformly from this …
    budget_high: chex.Numeric = 1.0  # … to this, where budgets are drawn
    preference_low: chex.Numeric = 1.0  # beta, gamma and delta are multiplied by a factor from this (preference 0) …
    preference_high: chex.Numeric = 1.0  # … to this (preference 1), log-uniform, where the preference is drawn


@struct.dataclass
class EarlyExitState:
    """Scalars: as few as can be, since the simulator reads and writes them at every step."""

    position: chex.Array  # int32, of the exit's word in the table: image * K + exit
    budget: chex.Array | None = None  # float32, factor of this episode's budgets
    preference: chex.Array | None = None  # float32 in [0, 1]: 0 spares nothing, 1 spares most


_MEANING = {
    "confidence": "1 less the entropy of the exit's probabilities, divided by the logarithm of their number",
    "exit": "its number, divided by that of the last one",
    "latency": "time spent until here, as a share of the budget",
    "remaining compute": "what is left of the budget of multiply-accumulates, as a share of it",
    "margin": "largest less second largest probability",
    "probability": "the largest probability",
    "agreement": "1 if this exit predicts what the one before did",
    "preference": "what to spare, from 0 (nothing) to 1 (most)",
}


@dataclasses.dataclass(frozen=True, eq=False)
class EarlyExit(ByContent):
    """The environment; see the module's docstring. Make it with `edgerl.make("EarlyExit-v0")` or `from_table`.

    Attributes:
      exits: K, the network's exits.
      extras: what the observation holds beyond the four numbers.
      draw_budget: a new budget every episode, by `budget_low` and `budget_high`.
      draw_preference: new weights every episode, by `preference_low` and `preference_high`; the observation tells.
    """

    exits: int
    default_params: EarlyExitParams = dataclasses.field(repr=False)
    extras: tuple[Extra, ...] = ()
    draw_budget: bool = False
    draw_preference: bool = False
    id: str = "EarlyExit-v0"

    @property
    def names(self) -> tuple[str, ...]:
        """What each number of an observation is."""
        preference = ("preference",) if self.draw_preference else ()
        return ("confidence", "exit", "latency", "remaining compute", *self.extras, *preference)

    @property
    def observation_names(self) -> tuple[str, ...]:
        """The same with what they mean, for an exported header."""
        return tuple(f"{name}: {_MEANING[name]}" for name in self.names)

    @property
    def action_names(self) -> tuple[str, str]:
        """What the actions do."""
        return ("compute the next exit", "stop at this exit")

    def observation_space(self, params: EarlyExitParams | None = None) -> Box:
        """Latency is not bounded above and remaining compute not below: budgets may be overdrawn."""
        unit = len(self.names) - 4
        return Box((0.0, 0.0, 0.0, -np.inf, *[0.0] * unit), (1.0, 1.0, np.inf, 1.0, *[1.0] * unit), (unit + 4,))

    def action_space(self, params: EarlyExitParams | None = None) -> Discrete:
        """0: continue, 1: exit."""
        return Discrete(2)

    def num_states(self, params: EarlyExitParams) -> int | None:
        """Images times exits; None where every episode draws a budget or a preference of its own."""
        return None if self.draw_budget or self.draw_preference else params.words.shape[-1]

    def state_at(self, number: chex.Array) -> EarlyExitState:
        """The state at a place in the table."""
        return EarlyExitState(number)

    def number_of(self, state: EarlyExitState) -> chex.Array:
        """A state's place in the table."""
        return state.position

    def reset(self, key: chex.PRNGKey, params: EarlyExitParams | None = None) -> tuple[chex.Array, EarlyExitState]:
        """An image drawn uniformly, at its first exit."""
        p = self.default_params if params is None else params
        draws = jax.random.bits(key, (1 + self.draw_budget + self.draw_preference,), jnp.uint32)
        images = p.words.shape[-1] // self.exits
        factors = iter(draws[1:])
        budget = between(unit(next(factors)), p.budget_low, p.budget_high) if self.draw_budget else None
        preference = unit(next(factors)) if self.draw_preference else None
        state = EarlyExitState(below(draws[0], images) * self.exits, budget, preference)
        return self.observe(state, p), state

    def step(
        self, key: chex.PRNGKey, state: EarlyExitState, action: chex.Array, params: EarlyExitParams | None = None
    ) -> Step:
        """Ends the episode, which stays where it is, or moves on to the next exit. The key is not used."""
        del key
        p = self.default_params if params is None else params
        ended = (action == EXIT) | (state.position % self.exits == self.exits - 1)
        reward = jnp.where(ended, self.reward(state, p), 0.0)
        state = dataclasses.replace(state, position=state.position + jnp.where(ended, 0, 1))
        return self.observe(state, p), state, reward, ended, jnp.zeros_like(ended), {}

    def observe(self, state: EarlyExitState, params: EarlyExitParams) -> chex.Array:
        """float32 [4 + extras] of a state."""
        word, exit = unpack(_read(params.words, state.position)), state.position % self.exits
        per_budget = 1.0 if state.budget is None else 1 / state.budget
        latency, compute = (self._at(x, exit) * per_budget for x in self._shares(params)[:2])
        depth = exit.astype(jnp.float32) * jnp.float32(1 / (self.exits - 1))
        extras = [getattr(word, name) for name in self.extras]
        preference = [] if state.preference is None else [state.preference]
        return jnp.stack([word.confidence, depth, latency, 1 - compute, *extras, *preference])

    def reward(self, state: EarlyExitState, params: EarlyExitParams) -> chex.Array:
        """float32 scalar: what stopping in this state pays."""
        p = params
        latency, compute, energy = self._shares(p)
        cost = p.beta * latency + p.gamma * compute + p.delta * energy
        factor = 1.0 if state.budget is None else 1 / state.budget
        if state.preference is not None:
            factor = factor * between(state.preference, p.preference_low, p.preference_high)
        correct = unpack(_read(p.words, state.position)).correct
        return p.alpha * correct - self._at(cost, state.position % self.exits) * factor

    def _shares(self, p: EarlyExitParams) -> tuple[chex.Array, chex.Array, chex.Array]:
        """Latency, compute and energy up to each exit over the profile's budgets, float32 [K]."""
        return p.latency_ms / p.max_latency_ms, p.macs / p.max_macs, p.energy_mj / p.max_energy_mj

    def _at(self, values: chex.Array, exit: chex.Array) -> chex.Array:
        """`values[exit]`, by choosing among the few: vector units are slow at reading from places of their own."""
        chosen = values[0]
        for k in range(1, self.exits):
            chosen = jnp.where(exit == k, values[k], chosen)
        return chosen


def _read(words: chex.Array, position: chex.Array) -> chex.Array:
    return jnp.asarray(words).at[position].get(mode="promise_in_bounds")
