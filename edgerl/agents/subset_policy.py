"""A policy over subsets: one small network scores every item by its features, the k best are taken.

Scores with Gumbel noise order the items as drawing them without replacement does, with probabilities in proportion to
exp(score) (Plackett and Luce; Kool et al., "Stochastic Beams and Where to Find Them", 2019). Each item gets credit of
its own: the environment says, at first order, by how much the loss falls as an item weighs more, which is what leaving
it out would cost. Since k is given, only differences between the chosen items count: their mean is the control variate.

Such credit cannot see that two items tell the same. Neighbours resemble each other, so the policy also prefers every
second item, as on a chessboard: in training the black or the white squares, by chance, so that all are seen; afterwards
always the same.
"""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct

from edgerl.agents.online import Lesson
from edgerl.core.config import field
from edgerl.core.environment import Environment
from edgerl.core.policy import MLPPolicy


@dataclasses.dataclass(frozen=True)
class SubsetPolicyConfig:
    """The scorer and its lessons."""

    hidden: int = field(16, "width of the scorer's hidden layer", low=2)
    learning_rate: float = field(1e-2, "Adam's step size", low=0)
    frequency: int = field(2, "training steps between two lessons", low=1)
    coverage: float = field(2.0, "by how much every second item is preferred", low=0)
    restraint: float = field(0.05, "weight of the mean squared score", low=0)
    noise: float = field(0.5, "scale of the Gumbel noise in training", low=0)


@struct.dataclass
class SubsetPolicyState:
    """The scorer, with two outputs for each item, leave and take, and its optimiser."""

    scorer: MLPPolicy
    optimiser: optax.OptState


@dataclasses.dataclass(frozen=True)
class SubsetPolicy:
    """The agent; observations are float32 [B, N, F], the last N features an item's place, one-hot."""

    config: SubsetPolicyConfig
    size: int  # k
    items: int  # N

    @property
    def every(self) -> int:
        return self.config.frequency

    def init(self, key: chex.PRNGKey, env: Environment, obs: chex.Array) -> SubsetPolicyState:
        """Scores 0: only the chessboard counts."""
        inputs, hidden = obs.shape[-1], self.config.hidden
        kernel = jax.random.normal(key, (inputs, hidden)) * (2 / inputs) ** 0.5
        scorer = MLPPolicy((kernel, jnp.zeros((hidden, 2))), (jnp.zeros(hidden), jnp.zeros(2)), "relu")
        return SubsetPolicyState(scorer, self._optimiser.init(scorer))

    def act(self, key: chex.PRNGKey, state: SubsetPolicyState, obs: chex.Array, time: chex.Array) -> chex.Array:
        """Scores [B, N] with Gumbel noise, on the black or the white squares of the board."""
        noise_key, board_key = jax.random.split(key)
        scores = scores_of(state.scorer, obs)
        black = jax.random.bernoulli(board_key, shape=(*scores.shape[:-1], 1))
        board = jnp.where(black, chessboard(scores.shape[-1]), 1 - chessboard(scores.shape[-1]))
        return scores + self.config.coverage * board + self.config.noise * jax.random.gumbel(noise_key, scores.shape)

    def greedy(self, state: SubsetPolicyState, obs: chex.Array) -> chex.Array:
        """Scores [..., N], on the black squares."""
        return scores_of(state.scorer, obs) + self.config.coverage * chessboard(obs.shape[-2])

    def deployed(self, state: SubsetPolicyState, threshold: float) -> MLPPolicy:
        """One network for it all: 1, take the item, where its score is over the threshold. A hidden unit is the board.

        The last features of an item are its place, one-hot.
        """
        scorer, items = state.scorer, self.items
        board = jnp.concatenate([jnp.zeros(scorer.sizes[0] - items), chessboard(items)])
        kernels = (
            jnp.column_stack([scorer.kernels[0], board]),
            jnp.vstack([scorer.kernels[1], jnp.array([0.0, self.config.coverage])]),
        )
        biases = (jnp.append(scorer.biases[0], 0.0), scorer.biases[1] - jnp.array([0.0, threshold]))
        return MLPPolicy(kernels, biases, scorer.activation)

    def learn(self, key: chex.PRNGKey, state: SubsetPolicyState, env: Environment, lesson: Lesson) -> SubsetPolicyState:
        """One step of Adam: scores of items with more credit than their image's mean rise."""
        credit = standardised(lesson.info["credit"])

        def objective(scorer: MLPPolicy) -> chex.Array:
            scores = scores_of(scorer, lesson.obs)
            return -(credit * scores).mean() + self.config.restraint * jnp.square(scores).mean()

        updates, optimiser = self._optimiser.update(jax.grad(objective)(state.scorer), state.optimiser)
        return dataclasses.replace(state, scorer=optax.apply_updates(state.scorer, updates), optimiser=optimiser)

    def exploration(self, time: chex.Array) -> chex.Array:
        """The scale of the noise."""
        return jnp.float32(self.config.noise)

    @property
    def _optimiser(self) -> optax.GradientTransformation:
        return optax.adam(self.config.learning_rate)


def scores_of(scorer: MLPPolicy, obs: chex.Array) -> chex.Array:
    """float32 [..., N]: by how much taking an item with these features [..., N, F] is preferred to leaving it."""
    logits = scorer.logits(obs)
    return logits[..., 1] - logits[..., 0]


def chessboard(items: int) -> chex.Array:
    """float32 [items]: 1 for every second place of a square grid, row by row, shifted from row to row; else 0."""
    grid = round(items**0.5)
    place = jnp.arange(items)
    return ((place // grid + place % grid) % 2).astype(jnp.float32)


def standardised(credit: chex.Array) -> chex.Array:
    """Credit [B, N], 0 for items not chosen, minus its image's mean over the chosen ones, then of unit variance."""
    chosen = (credit != 0).astype(jnp.float32)
    mean = credit.sum(axis=-1, keepdims=True) / jnp.maximum(chosen.sum(axis=-1, keepdims=True), 1)
    centred = (credit - mean) * chosen
    return centred * jax.lax.rsqrt(jnp.square(centred).sum() / jnp.maximum(chosen.sum(), 1) + 1e-20)
