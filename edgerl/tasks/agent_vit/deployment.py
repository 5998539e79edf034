"""What of an agent goes onto a device, and how it chooses there."""

import dataclasses
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.policy import MLPPolicy
from edgerl.envs.spaces import Box, Discrete
from edgerl.tasks.agent_vit import selection
from edgerl.tasks.agent_vit.agents.online import TrainState
from edgerl.tasks.agent_vit.agents.subset_policy import SubsetPolicy
from edgerl.tasks.agent_vit.data import Splits, normalise
from edgerl.tasks.agent_vit.env import PatchSelection, PatchSelectionParams
from edgerl.tasks.agent_vit.members import Trial
from edgerl.tasks.agent_vit.model import cut

IMAGES = 512  # training images by which the threshold is set and the quantisation calibrated


def deployable(member: Trial, running: TrainState, splits: Splits) -> MLPPolicy:
    """The agent's network. Of the policy over subsets, with the threshold in its last bias: 1 is "take this patch"."""
    if not isinstance(member.agent, SubsetPolicy):
        return running.agent.network
    seen = observations(member, running, splits)
    images = jnp.asarray(seen.reshape(-1, member.env.patches, seen.shape[-1]))
    scores = np.asarray(member.agent.greedy(jax.random.key(0), running.agent, images))
    return member.agent.deployed(running.agent, float(np.quantile(scores, 1 - member.agent.size / member.env.patches)))


def observations(member: Trial, running: TrainState, splits: Splits) -> np.ndarray:
    """float32 [M, features] that the agent's network sees on the first training images, batch by batch."""
    env = member.env

    @jax.jit
    def see(images: chex.Array) -> chex.Array:
        patches = cut(env.network.config, normalise(images))
        seen = selection.view(env.sees, env.network, running.env.mean, patches)
        return seen if env.mask == "image" else seen.mean(axis=0)

    images = splits.train.images[:IMAGES]
    starts = range(0, len(images) - env.batch + 1, env.batch)
    seen = np.stack([np.asarray(see(images[i : i + env.batch])) for i in starts])
    return seen.reshape(-1, seen.shape[-1])


@dataclasses.dataclass(frozen=True)
class Exported:
    """What the exported network sees and decides, as an environment says it: one row of an observation of `env`.

    Attributes:
      env: in which the agent was trained.
      policy: the agent's network.
      one_patch: whether it decides of one patch, or scores all of them.
    """

    env: PatchSelection
    policy: MLPPolicy
    one_patch: bool

    @property
    def id(self) -> str:
        return self.env.id

    @property
    def default_params(self) -> PatchSelectionParams:
        return self.env.default_params

    @property
    def observation_names(self) -> tuple[str, ...]:
        return self.env.observation_names

    @property
    def action_names(self) -> tuple[str, ...]:
        return ("leave this patch out", "take this patch") if self.one_patch else self.env.action_names

    def observation_space(self) -> Box:
        return Box(-np.inf, np.inf, self.policy.sizes[:1])

    def action_space(self) -> Discrete:
        return Discrete(self.policy.sizes[-1])


def exported(member: Trial, policy: MLPPolicy) -> Exported:
    """What `deploy.export` writes of the agent's network into the header."""
    return Exported(member.env, policy, isinstance(member.agent, SubsetPolicy))


def masks(member: Trial, player: Any) -> Callable[[chex.Array], chex.Array]:
    """How a float or int8 policy chooses: observations to bool [..., N]."""
    if isinstance(member.agent, SubsetPolicy):
        return lambda obs: player(jax.random.key(0), obs) == 1
    if isinstance(player, MLPPolicy):
        return lambda obs: selection.above_mean(player.logits(obs))
    return lambda obs: selection.above_mean(player.scores(player.quantise(obs)).astype(jnp.float32))
