"""A policy over subsets: one small network scores every item by its features, the k best are taken.

Each item gets credit of its own. Scores with Gumbel noise order the items as drawing them without replacement does,
with probabilities in proportion to exp(score) (Plackett and Luce; Kool et al., "Stochastic Beams and Where to Find
Them", 2019). So the probability of what was chosen is known, and its gradient says what each item had to do with it. A
lesson draws several subsets of the same images; the baseline of each is the mean loss of the others (leave one out:
Kool et al., "Buy 4 REINFORCE Samples, Get a Baseline for Free!", 2019), in which the image's own difficulty cancels.
"""

import dataclasses
from typing import Any, Protocol

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct

from edgerl.agents.online import Lesson
from edgerl.core.config import field
from edgerl.core.environment import Environment, State
from edgerl.core.policy import MLPPolicy


@dataclasses.dataclass(frozen=True)
class SubsetPolicyConfig:
    """The scorer and its lessons."""

    hidden: int = field(16, "width of the scorer's hidden layer", low=1)
    learning_rate: float = field(3e-3, "Adam's step size", low=0)
    frequency: int = field(8, "training steps between two lessons", low=1)
    images: int = field(32, "images of the batch that a lesson uses", low=1)
    samples: int = field(4, "subsets that a lesson draws of each image", low=2)
    restraint: float = field(1e-3, "weight of the mean squared score, which keeps some chance in the choice", low=0)


class Counterfactual(Protocol):
    """What this agent asks of an environment beyond the contract."""

    def losses(self, state: State, scores: chex.Array, images: int) -> chex.Array:
        """Loss [R, images] of the step's first images, had the scores been [R, images, N]; nothing is learnt."""
        ...


@struct.dataclass
class SubsetPolicyState:
    """The scorer, with two outputs for each item, leave and take, and its optimiser."""

    scorer: MLPPolicy
    optimiser: optax.OptState


@dataclasses.dataclass(frozen=True)
class SubsetPolicy:
    """The agent; observations are features float32 [B, N, F]."""

    config: SubsetPolicyConfig
    size: int  # k

    @property
    def every(self) -> int:
        return self.config.frequency

    def init(self, key: chex.PRNGKey, env: Environment, obs: chex.Array) -> SubsetPolicyState:
        """Scores near 0: every subset is as likely as any other."""
        inputs, hidden = obs.shape[-1], self.config.hidden
        kernel = jax.random.normal(key, (inputs, hidden)) * (2 / inputs) ** 0.5
        scorer = MLPPolicy((kernel, jnp.zeros((hidden, 2))), (jnp.zeros(hidden), jnp.zeros(2)), "relu")
        return SubsetPolicyState(scorer, self._optimiser.init(scorer))

    def act(self, key: chex.PRNGKey, state: SubsetPolicyState, obs: chex.Array, time: chex.Array) -> chex.Array:
        """Scores [B, N] with Gumbel noise."""
        scores = scores_of(state.scorer, obs)
        return scores + jax.random.gumbel(key, scores.shape)

    def greedy(self, state: SubsetPolicyState, obs: chex.Array) -> chex.Array:
        """Scores [..., N]."""
        return scores_of(state.scorer, obs)

    def learn(self, key: chex.PRNGKey, state: SubsetPolicyState, env: Any, lesson: Lesson) -> SubsetPolicyState:
        """One step of Adam on the leave-one-out policy gradient."""
        images = min(self.config.images, lesson.obs.shape[0])
        obs = lesson.obs[:images]
        noise = jax.random.gumbel(key, (self.config.samples, *obs.shape[:2]))
        drawn = scores_of(state.scorer, obs) + noise
        losses = env.losses(lesson.state, drawn, images)
        advantage = jax.lax.stop_gradient(leave_one_out(-losses))
        advantage = advantage / jnp.maximum(advantage.std(), 1e-6)

        def objective(scorer: MLPPolicy) -> chex.Array:
            scores = scores_of(scorer, obs)
            log_probability = jax.vmap(lambda d: subset_log_probability(scores, d, self.size))(drawn)
            return -(advantage * log_probability).mean() + self.config.restraint * jnp.square(scores).mean()

        updates, optimiser = self._optimiser.update(jax.grad(objective)(state.scorer), state.optimiser)
        return SubsetPolicyState(optax.apply_updates(state.scorer, updates), optimiser)

    def exploration(self, time: chex.Array) -> chex.Array:
        """The scale of the Gumbel noise on the scores, always 1."""
        return jnp.float32(1)

    @property
    def _optimiser(self) -> optax.GradientTransformation:
        return optax.adam(self.config.learning_rate)


def scores_of(scorer: MLPPolicy, obs: chex.Array) -> chex.Array:
    """float32 [..., N]: by how much taking an item with these features [..., N, F] is preferred to leaving it."""
    logits = scorer.logits(obs)
    return logits[..., 1] - logits[..., 0]


def leave_one_out(rewards: chex.Array) -> chex.Array:
    """Rewards [R, ...] minus the mean of the other R - 1."""
    count = rewards.shape[0]
    return (rewards - rewards.mean(axis=0)) * count / (count - 1)


def subset_log_probability(scores: chex.Array, drawn: chex.Array, size: int) -> chex.Array:
    """Log-probability [...] of the order of the `size` highest of `drawn` [..., N] under Plackett and Luce's model.

    The i-th item is drawn with probability exp(score) over the sum of exp(score) of those not drawn before.
    """
    order = jnp.argsort(-drawn, axis=-1)
    ordered = jnp.take_along_axis(scores, order, axis=-1)
    remaining = jax.lax.cumlogsumexp(ordered, axis=ordered.ndim - 1, reverse=True)
    return (ordered - remaining)[..., :size].sum(axis=-1)
