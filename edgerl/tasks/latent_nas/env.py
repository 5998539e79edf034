"""LatentNAS-v0: a walk through the latent space of architectures, coordinate by coordinate, until the agent stops.

Observation: float32 [8 + history + weights]: the latent z; then the last actions, the newest first, each as
action / 112 and -1 where there was none yet; then, where objectives are weighed per episode, their three weights.
Action: code k and dimension d, as 8 k + d below 112, set z[d] = codebook[k, d]; 112 stops.
Reward: the change of the score of the network that z decodes to, from 0 at the start, minus `step_cost`; stopping: 0.
So what an episode earns is its last network's score, minus what its steps cost. The score is the surrogate's accuracy,
`pessimism` times its uncertainty below its mean; options take parameters and AVM into it, see `LatentNASParams`.
Terminated: the agent stopped. Truncated: `max_steps_in_episode` steps went by.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.environment import Step
from edgerl.envs.spaces import Box, Discrete
from edgerl.tasks.latent_nas.models.model import CODES, LATENT, Layer, decode
from edgerl.tasks.latent_nas.models.surrogate import Prediction, Surrogate
from edgerl.tasks.latent_nas.table.space import COUNTED, Architecture, count
from edgerl.util.content import ByContent

STOP = CODES * LATENT
_MARGIN = 3e-4  # of an accuracy: no difference to speak of
OBJECTIVES = ("accuracy", "parameters", "AVM")


@struct.dataclass
class LatentNASParams:
    """The frozen networks and what the score is made of. Any number may be an array under `vmap`."""

    decoder: tuple[Layer, ...]
    codebook: chex.Array  # float32 [CODES, LATENT]
    surrogate: Surrogate
    pessimism: chex.Numeric = 1.0  # times the uncertainty is taken off the accuracy
    step_cost: chex.Numeric = 0.0  # of every action but stopping, as an accuracy
    budget: chex.Numeric = 1e13  # parameters a network may have, where they are limited
    excess_cost: chex.Numeric = 0.5  # of ten times as many parameters as the budget, as an accuracy
    target: chex.Numeric = 1.0  # the best score there is, for `shaped` rewards
    max_steps_in_episode: chex.Numeric = 200


@struct.dataclass
class LatentNASState:
    """Where an episode stands."""

    latent: chex.Array  # float32 [8]
    score: chex.Array  # float32, of the network there; 0 before the first action
    time: chex.Array  # int32
    history: chex.Array | None = None  # float32 [history], as observed
    weights: chex.Array | None = None  # float32 [3], of `OBJECTIVES`


@dataclasses.dataclass(frozen=True, eq=False)
class LatentNAS(ByContent):
    """The environment; see the module's docstring. Make it with `edgerl.make("LatentNAS-v0")`.

    Attributes:
      history: how many of the last actions are observed.
      limited: whether parameters beyond the budget cost.
      weighed: whether objectives are weighed, by weights drawn for every episode and observed.
      shaped: whether rewards are those for learning: from the start's own score on, and unless objectives are weighed
        the fall of the logarithm of what is missing to `target`, to which an accuracy's last thousandths matter, too.
    """

    default_params: LatentNASParams = dataclasses.field(repr=False)
    history: int = 0
    limited: bool = False
    weighed: bool = False
    shaped: bool = False
    id: str = "LatentNAS-v0"
    has_network: ClassVar[bool] = True  # the simulator then steps fewer lanes together

    @property
    def observation_names(self) -> tuple[str, ...]:
        """What each number of an observation is, for an exported header."""
        latent = (f"latent coordinate {i}" for i in range(LATENT))
        history = (f"action {i + 1} steps ago / {STOP}, -1 if none" for i in range(self.history))
        weights = (f"weight of {name}, a share of 1" for name in (OBJECTIVES if self.weighed else ()))
        return (*latent, *history, *weights)

    @property
    def action_names(self) -> tuple[str, ...]:
        """What the actions do."""
        return (
            *(f"set latent coordinate {i} to its code {code}" for code in range(CODES) for i in range(LATENT)),
            "stop",
        )

    def observation_space(self, params: LatentNASParams | None = None) -> Box:
        """Latents are not bounded."""
        shares = (len(OBJECTIVES) if self.weighed else 0,)
        low = (-np.inf,) * LATENT + (-1.0,) * self.history + (0.0,) * shares[0]
        high = (np.inf,) * LATENT + (1.0,) * (self.history + shares[0])
        return Box(low, high, (len(low),))

    def action_space(self, params: LatentNASParams | None = None) -> Discrete:
        """0 to 111: 8 * code + dimension; 112: stop."""
        return Discrete(STOP + 1)

    def reset(self, key: chex.PRNGKey, params: LatentNASParams | None = None) -> tuple[chex.Array, LatentNASState]:
        """z ~ N(0, I). Weights, where there are any: uniform over all that add to 1."""
        latent_key, weight_key = jax.random.split(key)
        weights = None
        if self.weighed:
            draws = -jnp.log1p(-jax.random.uniform(weight_key, (len(OBJECTIVES),), jnp.float32))
            weights = draws / jnp.maximum(jnp.sum(draws), 1e-20)
        latent = jax.random.normal(latent_key, (LATENT,), jnp.float32)
        history = jnp.full(self.history, -1.0, jnp.float32) if self.history else None
        score = self.score(latent, self._params(params), weights) if self.shaped else jnp.float32(0)
        state = LatentNASState(latent, score, jnp.int32(0), history, weights)
        return self.observe(state), state

    def step(
        self, key: chex.PRNGKey, state: LatentNASState, action: chex.Array, params: LatentNASParams | None = None
    ) -> Step:
        """One coordinate set, or the end. Deterministic: the key is not used."""
        del key
        p = self._params(params)
        stopped = action == STOP
        value = jnp.ravel(jnp.asarray(p.codebook)).at[jnp.minimum(action, STOP - 1)].get(mode="promise_in_bounds")
        latent = jnp.where((jnp.arange(LATENT) == action % LATENT) & ~stopped, value, state.latent)
        score = jnp.where(stopped, state.score, self.score(latent, p, state.weights))
        gain = score - state.score
        if self.shaped and not self.weighed:
            gain = self._missing(state.score, p) - self._missing(score, p)
        reward = gain - jnp.where(stopped, 0.0, jnp.asarray(p.step_cost, jnp.float32))
        history = state.history
        if history is not None:
            taken = action.astype(jnp.float32) * np.float32(1 / STOP)
            history = jnp.concatenate([taken[None], history[:-1]])
        state = LatentNASState(latent, score, state.time + 1, history, state.weights)
        truncated = (state.time >= p.max_steps_in_episode) & ~stopped
        return self.observe(state), state, reward, stopped, truncated, {}

    @staticmethod
    def _missing(score: chex.Array, params: LatentNASParams) -> chex.Array:
        """Logarithm of what a score lacks to the target, below `_MARGIN` hardly less."""
        return jnp.log(jnp.maximum(params.target - score, 0) + _MARGIN)

    def _params(self, params: LatentNASParams | None) -> LatentNASParams:
        return self.default_params if params is None else params

    def observe(self, state: LatentNASState) -> chex.Array:
        """float32 [8 + history + weights] of a state."""
        parts = (state.latent, state.history, state.weights)
        return jnp.concatenate([part for part in parts if part is not None])

    def score(self, latent: chex.Array, params: LatentNASParams, weights: chex.Array | None = None) -> chex.Array:
        """float32 scalar: how good the network is that a latent [8] decodes to. One evaluation of the surrogate."""
        judged = _judge(frozenset(self.parts(params)), self._sized)(params.decoder, params.surrogate, latent)
        return self._value(*judged, params, weights)

    def parts(self, params: LatentNASParams) -> set[str]:
        """The blocks' genes that the score depends on, under their names in `Architecture`."""
        return params.surrogate.parts | (COUNTED if self._sized else set())

    def score_of(self, net: Architecture, params: LatentNASParams) -> chex.Array:
        """float32 [...]: the score of networks, without objectives' weights."""
        return self._value(*_judged(params.surrogate, net, self._sized), params)

    @property
    def _sized(self) -> bool:
        return self.limited or self.weighed

    def _value(
        self, made: Prediction, size: chex.Array, params: LatentNASParams, weights: chex.Array | None = None
    ) -> chex.Array:
        """The score of a network for which the surrogate made a prediction, and that has 10^`size` parameters.

        Weighed: `weights` times the pessimistic accuracy, (8 - size) / 4 and 1 - AVM / 10.
        """
        score = made.accuracy - params.pessimism * made.uncertainty
        if weights is not None:
            score = jnp.sum(weights * jnp.stack([score, (8 - size) / 4, 1 - made.avm / 10]))
        if self.limited:
            score = score - params.excess_cost * jnp.maximum(size - jnp.log10(params.budget), 0)
        return score


def _judged(surrogate: Surrogate, net: Architecture, sized: bool) -> tuple[Prediction, chex.Array]:
    """What the surrogate says of networks, and the logarithm of how many parameters they have where it is wanted."""
    return surrogate(net), jnp.log10(count(net)) if sized else jnp.zeros_like(net.depth)


@functools.cache
def _judge(parts: frozenset[str], sized: bool) -> Callable[..., tuple[Prediction, chex.Array]]:
    """`_judged` of what a decoder makes of a latent [8]. Under `vmap`, all latents are one matrix, the lanes last.

    `vmap` by itself would have the lanes first, and few numbers of each beside each other: vector units want the lanes
    there.
    """

    def evaluate(decoder: tuple[Layer, ...], surrogate: Surrogate, latent: chex.Array) -> tuple[Prediction, chex.Array]:
        return _judged(surrogate, decode(decoder, latent, parts), sized)

    def lanes(axis_size: int, batched: Any, *arguments: Any) -> tuple[Any, Any]:
        del axis_size
        decoder, surrogate, latents = arguments
        if any(jax.tree.leaves(batched[:2])):  # networks of their own
            axes = jax.tree.map(lambda b: 0 if b else None, batched)
            made = jax.vmap(evaluate, in_axes=axes)(*arguments)
        else:
            made = evaluate(decoder, surrogate, latents.T)
        return made, jax.tree.map(lambda _: True, made)

    mapped = jax.custom_batching.custom_vmap(evaluate)
    mapped.def_vmap(lanes)
    return mapped
