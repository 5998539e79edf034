"""A policy over subsets: one small network scores every item by its features, the k best are taken.

Each item gets credit of its own: the environment says, at first order, by how much the loss falls as an item weighs
more, which is what leaving it out would cost. Since k is given, only differences between the items of a subset count,
so their mean is the control variate, and the score is the credit that the network expects, in standard deviations.

Such credit cannot see that two items tell the same. So a layout of items that complement each other is preferred, as
long as there is no evidence against it: an item outside of it is taken once it is expected to have so much more credit.
In training one of several layouts is drawn, so that all items are seen; afterwards it is always the first.

Gumbel noise on the scores orders the items as drawing them without replacement does (Plackett and Luce; Kool et al.,
"Stochastic Beams and Where to Find Them", 2019).
"""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct

from edgerl.envs.environment import Environment
from edgerl.envs.policy import MLPPolicy
from edgerl.tasks.agent_vit.agents.online import Transition
from edgerl.util.config import field


@dataclasses.dataclass(frozen=True)
class SubsetPolicyConfig:
    """The scorer and its lessons."""

    hidden: int = field(16, "width of the scorer's hidden layer", low=2)
    learning_rate: float = field(3e-3, "Adam's step size", low=0)
    frequency: int = field(2, "training steps between two lessons", low=1)
    coverage: float = field(0.02, "standard deviations of credit by which the layout is preferred", low=0)
    noise: float = field(0.01, "scale of the Gumbel noise in training, in the same unit", low=0)


@struct.dataclass
class SubsetPolicyState:
    """The scorer, with two outputs for each item, leave and take, and its optimiser."""

    scorer: MLPPolicy
    optimiser: optax.OptState


@dataclasses.dataclass(frozen=True)
class SubsetPolicy:
    """The agent; observations are float32 [B, N, F], the last N features an item's place, one-hot.

    Attributes:
      size: k, items to take.
      layouts: [L][N], what is preferred before anything is known: 1 for an item of the layout, else 0.
    """

    config: SubsetPolicyConfig
    size: int
    layouts: tuple[tuple[float, ...], ...]

    @property
    def every(self) -> int:
        return self.config.frequency

    def init(self, key: chex.PRNGKey, env: Environment, obs: chex.Array) -> SubsetPolicyState:
        """Scores 0: only the layout counts."""
        inputs, hidden = obs.shape[-1], self.config.hidden
        kernel = jax.random.normal(key, (inputs, hidden)) * (2 / inputs) ** 0.5
        scorer = MLPPolicy((kernel, jnp.zeros((hidden, 2))), (jnp.zeros(hidden), jnp.zeros(2)), "relu")
        return SubsetPolicyState(scorer, self._optimiser.init(scorer))

    def act(self, key: chex.PRNGKey, state: SubsetPolicyState, obs: chex.Array, time: chex.Array) -> chex.Array:
        """Scores [B, N] with Gumbel noise, a layout drawn for each image."""
        noise_key, layout_key = jax.random.split(key)
        scores = scores_of(state.scorer, obs)
        which = jax.random.randint(layout_key, scores.shape[:-1], 0, len(self.layouts))
        noise = self.config.noise * jax.random.gumbel(noise_key, scores.shape)
        return scores + self.config.coverage * jnp.asarray(self.layouts)[which] + noise

    def greedy(self, key: chex.PRNGKey, state: SubsetPolicyState, obs: chex.Array) -> chex.Array:
        """Scores [..., N], by the first layout."""
        return scores_of(state.scorer, obs) + self.config.coverage * jnp.asarray(self.layouts[0])

    def deployed(self, state: SubsetPolicyState, threshold: float) -> MLPPolicy:
        """One network for it all: 1, take the item, where its score is over the threshold. A hidden unit is the layout.

        The last features of an item are its place, one-hot.
        """
        scorer, layout = state.scorer, jnp.asarray(self.layouts[0])
        layout = jnp.concatenate([jnp.zeros(scorer.sizes[0] - len(layout)), layout])
        kernels = (
            jnp.column_stack([scorer.kernels[0], layout]),
            jnp.vstack([scorer.kernels[1], jnp.array([0.0, self.config.coverage])]),
        )
        biases = (jnp.append(scorer.biases[0], 0.0), scorer.biases[1] - jnp.array([0.0, threshold]))
        return MLPPolicy(kernels, biases, scorer.activation)

    def learn(
        self, key: chex.PRNGKey, state: SubsetPolicyState, env: Environment, lesson: Transition
    ) -> SubsetPolicyState:
        """One step of Adam: least squares of scores and credit, both as differences from their mean in an image."""
        credit = lesson.info["credit"]
        chosen = credit != 0
        wanted = centred(credit, chosen)
        wanted = wanted * jax.lax.rsqrt(jnp.square(wanted).sum() / jnp.maximum(chosen.sum(), 1) + 1e-20)

        def objective(scorer: MLPPolicy) -> chex.Array:
            error = centred(scores_of(scorer, lesson.obs), chosen) - wanted
            return 0.5 * jnp.square(error).sum() / jnp.maximum(chosen.sum(), 1)

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


def centred(values: chex.Array, chosen: chex.Array) -> chex.Array:
    """float32 [B, N]: the values of the chosen items minus their image's mean over those; 0 for the others."""
    weights = chosen.astype(jnp.float32)
    mean = (values * weights).sum(axis=-1, keepdims=True) / jnp.maximum(weights.sum(axis=-1, keepdims=True), 1)
    return (values - mean) * weights
