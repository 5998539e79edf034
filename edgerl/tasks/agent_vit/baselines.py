"""Choices of patches that do not learn. They have the form of a scoring agent (see `agents.online`)."""

import dataclasses

import chex
import jax
import jax.numpy as jnp

from edgerl.envs.environment import Environment
from edgerl.tasks.agent_vit import selection
from edgerl.tasks.agent_vit.agents.online import ScoringAgent, Transition


@dataclasses.dataclass(frozen=True)
class _Fixed(ScoringAgent):
    """An agent without memory and without lessons."""

    every = 0

    def init(self, key: chex.PRNGKey, env: Environment, obs: chex.Array) -> tuple[()]:
        return ()

    def act(self, key: chex.PRNGKey, state: tuple[()], obs: chex.Array, time: chex.Array) -> chex.Array:
        return self.greedy(key, state, obs)

    def learn(self, key: chex.PRNGKey, state: tuple[()], env: Environment, lesson: Transition) -> tuple[()]:
        return ()

    def exploration(self, time: chex.Array) -> chex.Array:
        return jnp.float32(0)


@dataclasses.dataclass(frozen=True)
class Observed(_Fixed):
    """The observation itself is the score: attention received, or the embedding's norm."""

    def greedy(self, key: chex.PRNGKey, state: tuple[()], obs: chex.Array) -> chex.Array:
        return obs


@dataclasses.dataclass(frozen=True)
class Centre(_Fixed):
    """The patches nearest to the middle."""

    def greedy(self, key: chex.PRNGKey, state: tuple[()], obs: chex.Array) -> chex.Array:
        return jnp.broadcast_to(jnp.asarray(selection.centre(obs.shape[-1])), obs.shape)


@dataclasses.dataclass(frozen=True)
class Spread(_Fixed):
    """Evenly spread patches, and nothing of the image counts: of 30 out of 64, every second one, as on a chessboard.

    In training one of the layouts [L][N], by chance for each image, which is better than always the same; afterwards
    the first.
    """

    layouts: tuple[tuple[float, ...], ...]

    def act(self, key: chex.PRNGKey, state: tuple[()], obs: chex.Array, time: chex.Array) -> chex.Array:
        return jnp.asarray(self.layouts)[jax.random.randint(key, obs.shape[:-1], 0, len(self.layouts))]

    def greedy(self, key: chex.PRNGKey, state: tuple[()], obs: chex.Array) -> chex.Array:
        return jnp.broadcast_to(jnp.asarray(self.layouts[0]), obs.shape)


@dataclasses.dataclass(frozen=True)
class Random(_Fixed):
    """Every subset is as likely as any other."""

    def greedy(self, key: chex.PRNGKey, state: tuple[()], obs: chex.Array) -> chex.Array:
        """A draw for each image, in training and in evaluation: what is judged is a random choice, not a fixed one."""
        return jax.random.uniform(key, obs.shape)
