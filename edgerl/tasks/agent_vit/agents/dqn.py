"""AgentViT's agent: a Q-network with one output for each patch, a replay buffer and a slowly following target network.

As the origin does, every output is regressed to the same target, reward + gamma max Q_target(next observation): no item
gets credit of its own. The buffer is flashbax's, which runs inside the compiled training.
"""

import dataclasses
from typing import Any

import chex
import flashbax
import jax
import jax.numpy as jnp
import optax
from flax import struct

from edgerl.envs.environment import Environment
from edgerl.envs.policy import MLPPolicy
from edgerl.tasks.agent_vit.agents.online import Transition
from edgerl.util.config import field


@dataclasses.dataclass(frozen=True)
class DQNConfig:
    """The parameters of AgentViT's table, under their names."""

    buffer_size: int = field(64, "size of the replay memory", low=1)
    buffer_batch_size: int = field(8, "elements drawn from the replay memory", low=1)
    gamma: float = field(0.95, "discount factor", low=0, high=1)
    eps_start: float = field(1.0, "share of random actions at the start", low=0, high=1)
    eps_end: float = field(0.01, "share of random actions in the end", low=0, high=1)
    eps_decay: float = field(20_000.0, "steps in which the difference falls to 1/e", low=1e-6)
    eta: float = field(0.01, "learning rate of the agent's network", low=0)
    tau: float = field(0.1, "share by which the target network moves", low=0, high=1)
    update_every: int = field(2, "lessons between two moves of the target network", low=1)
    frequency: int = field(50, "training steps between two rewards and lessons", low=1)
    hidden_sizes: tuple[int, ...] = field((1024, 256), "widths of the agent's hidden layers", low=1)


@struct.dataclass
class DQNState:
    """Both networks, the optimiser, the memory, and how many lessons there were."""

    network: MLPPolicy
    target: MLPPolicy
    optimiser: optax.OptState
    memory: Any
    lessons: chex.Array  # int32


@dataclasses.dataclass(frozen=True)
class ScoreDQN:
    """The agent; observations are float32 [N] or [B, N], and so are its scores."""

    config: DQNConfig

    @property
    def every(self) -> int:
        return self.config.frequency

    def init(self, key: chex.PRNGKey, env: Environment, obs: chex.Array) -> DQNState:
        """A random network that is its own target, and an empty memory."""
        sizes = (obs.shape[-1], *self.config.hidden_sizes, obs.shape[-1])
        keys = jax.random.split(key, len(sizes) - 1)
        pairs = zip(keys, sizes[:-1], sizes[1:], strict=True)
        kernels = tuple(jax.random.normal(k, (m, n)) * (2 / m) ** 0.5 for k, m, n in pairs)
        network = MLPPolicy(kernels, tuple(jnp.zeros(n) for n in sizes[1:]), "relu")
        memory = self._memory.init({"obs": obs, "reward": jnp.float32(0), "next_obs": obs})
        return DQNState(network, network, self._optimiser.init(network), memory, jnp.int32(0))

    def act(self, key: chex.PRNGKey, state: DQNState, obs: chex.Array, time: chex.Array) -> chex.Array:
        """Q-values [..., N], or with probability epsilon uniform scores."""
        chance_key, score_key = jax.random.split(key)
        random = jax.random.uniform(chance_key) < self.exploration(time)
        scores = state.network.logits(obs)
        return jnp.where(random, jax.random.uniform(score_key, scores.shape), scores)

    def greedy(self, key: chex.PRNGKey, state: DQNState, obs: chex.Array) -> chex.Array:
        """Q-values [..., N]."""
        return state.network.logits(obs)

    def exploration(self, time: chex.Array) -> chex.Array:
        """Epsilon."""
        return epsilon(self.config, time)

    def learn(self, key: chex.PRNGKey, state: DQNState, env: Environment, lesson: Transition) -> DQNState:
        """Remembers the step; one step of Adam on remembered ones, once there are enough."""
        item = {"obs": lesson.obs, "reward": lesson.reward, "next_obs": lesson.next_obs}
        memory = self._memory.add(state.memory, item)
        state = dataclasses.replace(state, memory=memory, lessons=state.lessons + 1)
        batch = self._memory.sample(memory, key).experience
        enough = self._memory.can_sample(memory)
        return jax.lax.cond(enough, lambda s: self.improve(s, batch), lambda s: s, state)

    def improve(self, state: DQNState, batch: dict[str, chex.Array]) -> DQNState:
        """One step of Adam, and where it is time, a move of the target, on transitions [K, ...]."""
        config = self.config
        future = state.target.logits(batch["next_obs"]).max(axis=-1)  # [K], or [K, B] with a mask for each image
        wanted = batch["reward"].reshape(-1, *(1,) * (future.ndim - 1)) + config.gamma * future

        def objective(network: MLPPolicy) -> chex.Array:
            return jnp.square(network.logits(batch["obs"]) - wanted[..., None]).mean()

        updates, optimiser = self._optimiser.update(jax.grad(objective)(state.network), state.optimiser)
        network = optax.apply_updates(state.network, updates)
        share = jnp.where(state.lessons % config.update_every == 0, config.tau, 0.0)
        target = optax.incremental_update(network, state.target, share)
        return dataclasses.replace(state, network=network, target=target, optimiser=optimiser)

    @property
    def _memory(self) -> Any:
        size, batch = self.config.buffer_size, self.config.buffer_batch_size
        return flashbax.make_item_buffer(max(size, batch), batch, batch)

    @property
    def _optimiser(self) -> optax.GradientTransformation:
        return optax.adam(self.config.eta)


def epsilon(config: DQNConfig, steps: chex.Numeric) -> chex.Array:
    """Share of random actions after that many steps."""
    return config.eps_end + (config.eps_start - config.eps_end) * jnp.exp(-steps / config.eps_decay)
