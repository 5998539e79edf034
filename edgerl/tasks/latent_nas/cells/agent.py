"""The search: measure a few cells, predict the others, let the agent walk to promising ones, measure those, and again.

A round of it: the surrogate learns from all cells measured so far; the agent, PPO in the latent space, goes on learning
with the surrogate's optimistic prediction as the value; its walks visit cells; of the classes visited, those of the
highest value are measured, a cell of each. Only measuring is a look at the table.

R searches run side by side, shared out over the devices. Learning from a surrogate in rounds: Angermueller et al.,
"Model-based reinforcement learning for biological sequence design", 2020.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from edgerl.rl import ppo
from edgerl.rl.config import PPOConfig
from edgerl.rl.make_networks import make_networks
from edgerl.rl.rollout import reset, rollout
from edgerl.simulator.simulate import AXIS, default_mesh
from edgerl.tasks.latent_nas.cells import space
from edgerl.tasks.latent_nas.cells import surrogate as gp
from edgerl.tasks.latent_nas.cells.autoencoder import LatentSpace, places
from edgerl.tasks.latent_nas.cells.env import CellWalk, CellWalkParams
from edgerl.tasks.latent_nas.cells.looks import Looks
from edgerl.tasks.latent_nas.cells.surrogate import Measured, SurrogateConfig
from edgerl.util.config import field

_PPO = PPOConfig(
    num_updates=500,
    num_envs=32,
    num_steps=16,
    epochs=2,
    num_minibatches=4,
    hidden_sizes=(32, 32),
    activation="relu",
    learning_rate=3e-3,
    schedule="constant",
    discount=0.95,
    gae_lambda=0.95,
    entropy_coefficient=0.01,
)
_SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)  # of arrays of measured cells: a program each


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """How cells are chosen."""

    initial: int = field(8, "cells measured at random before the first round", low=2)
    growth: int = field(8, "a round measures this part of as many cells as were measured, and 1 at least", low=1)
    optimism: float = field(2.0, "times the predicted standard deviation of a measurement is added to its mean", low=0)
    again: float = field(0.3, "standard deviations taken off the value of a class for each cell more in a round", low=0)
    first_updates: int = field(20, "of the agent in the first round", low=0)
    updates: int = field(2, "of the agent in every other round", low=0)
    walks: int = field(128, "walks of the agent in a round", low=1)
    surrogate: SurrogateConfig = dataclasses.field(default_factory=SurrogateConfig)


class Agent:
    """The agents of R searches, and what they know.

    Args:
      config: how they search.
      latent: where they walk.
      runs: R.
      seed: of their random keys.
      cheap: float [15,625], an accuracy that is known of all cells beforehand, or None.
    """

    def __init__(
        self, config: SearchConfig, latent: LatentSpace, runs: int, seed: int, cheap: np.ndarray | None = None
    ) -> None:
        self.config, self.latent, self._of_cell = config, latent, space.classes()[0]
        self.cheap = None if cheap is None else class_means(cheap)
        covariance = gp.kernel(config.surrogate)
        self._covariance = jnp.asarray(covariance if self.cheap is None else gp.with_cheap(covariance, self.cheap))
        values = np.zeros(len(latent.decoded), np.float32)
        self.env = CellWalk(CellWalkParams(latent.codebook, values))
        self.mesh = default_mesh()
        if runs % self.mesh.size:
            self.mesh = Mesh(self.mesh.devices[:1], self.mesh.axis_names, axis_types=self.mesh.axis_types)
        self.keys = jax.random.split(jax.random.key(seed), (runs, 2))
        self.states = _started(self.env, self.mesh)(self.keys[:, 0])
        self.round = 0

    def values(self, looks: Looks) -> np.ndarray:
        """float32 [R, C]: the optimistic prediction of every class, as `surrogate.scores`."""
        size = next(n for n in _SIZES if n >= looks.count)
        classes, accuracy = np.zeros((2, len(looks.cells), size), np.float32)
        classes[:, : looks.count], accuracy[:, : looks.count] = self._of_cell[looks.cells], looks.seen
        seen = Measured(classes.astype(np.int32), accuracy, np.full(len(classes), looks.count, np.int32))
        optimistic = _optimistic(self.config.surrogate, self.config.optimism, self.mesh)
        return np.asarray(optimistic(self._covariance, seen))

    def visited(self, values: np.ndarray) -> np.ndarray:
        """bool [R, C]: the classes that the agents' walks come to, after they learnt with these values [R, C]."""
        updates = self.config.updates if self.round else self.config.first_updates
        spread = values.std(1, keepdims=True)
        scaled = (values - values.mean(1, keepdims=True)) / np.maximum(spread, 1e-6)
        walk = _walked(self.env, self.config.walks, self.mesh)
        reached = jnp.asarray(self._of_cell[self.latent.decoded])
        self.states, found = walk(
            self.states, self.keys[:, 1], scaled, reached, np.int32(updates), np.int32(self.round)
        )
        self.round += 1
        return np.asarray(found)


def batch_sizes(config: SearchConfig, budget: int) -> list[int]:
    """How many cells each round measures, the random ones first; together the budget."""
    sizes = [min(config.initial, budget)]
    while sum(sizes) < budget:
        sizes.append(min(max(sum(sizes) // config.growth, 1), budget - sum(sizes)))
    return sizes


def search(
    agent: Agent, looks: Looks, seed: int, tell: Callable[[int], None] = lambda count: None, everywhere: bool = False
) -> None:
    """Uses up the looks. `everywhere`: chooses among all classes in place of those that the agents visit."""
    rng = np.random.default_rng(seed)
    first, *sizes = batch_sizes(agent.config, looks.budget)
    looks.measure(_first(agent, looks, rng, first))
    for size in sizes:
        values = agent.values(looks)
        visited = np.ones(values.shape, bool) if everywhere else agent.visited(values)
        looks.measure(_chosen(agent.config, looks, values, visited, size, rng))
        tell(looks.count)


def class_means(values: np.ndarray) -> np.ndarray:
    """float64 [C]: the mean over the cells [15,625] of each class."""
    of_cell, representatives = space.classes()
    return np.bincount(of_cell, values, len(representatives)) / np.bincount(of_cell)


def _first(agent: Agent, looks: Looks, rng: np.random.Generator, count: int) -> np.ndarray:
    """int64 [R, count]: cells at random, none twice in a search; with a cheap accuracy, of its best twentieth."""
    allowed = np.flatnonzero(looks.allowed)
    if agent.cheap is not None:
        worth = agent.cheap[space.classes()[0][allowed]]
        allowed = allowed[np.argsort(-worth, kind="stable")[: max(len(allowed) // 20, count)]]
    return np.stack([rng.choice(allowed, count, replace=False) for _ in looks.cells])


def _chosen(
    config: SearchConfig, looks: Looks, values: np.ndarray, visited: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """int64 [R, size]: cells not looked at, of the visited classes with the highest values."""
    of_cell = space.classes()[0]
    chosen = np.zeros((len(values), size), np.int64)
    for run, (value, there) in enumerate(zip(values, visited, strict=True)):
        free = looks.allowed.copy()
        free[looks.cells[run]] = False
        free_cells = rng.permutation(np.flatnonzero(free))
        worth = np.where(there[of_cell[free_cells]], value[of_cell[free_cells]], -np.inf)
        best = np.argsort(-worth, kind="stable")[: 80 * size]  # enough to see other classes than the largest
        worth, cells = worth[best], free_cells[best]
        # The second free cell of a class is worth less, the third less again: a round looks at several classes.
        order = np.argsort(of_cell[cells], kind="stable")
        _, start, count = np.unique(of_cell[cells][order], return_index=True, return_counts=True)
        place = np.empty(len(cells), np.int64)
        place[order] = np.arange(len(cells)) - np.repeat(start, count)
        chosen[run] = cells[np.argsort(config.again * place - worth, kind="stable")[:size]]
    return chosen


@functools.lru_cache(maxsize=8)
def _optimistic(config: SurrogateConfig, optimism: float, mesh: Mesh) -> Callable[..., chex.Array]:
    whole, split = PartitionSpec(), PartitionSpec(AXIS)

    def one(covariance: chex.Array, seen: Measured) -> chex.Array:
        said = gp.posterior(config, covariance, seen)
        return said.mean + optimism * jnp.sqrt(said.variance + config.noise)

    def share(covariance: chex.Array, seen: Measured) -> chex.Array:
        return jax.lax.map(lambda s: one(covariance, s), seen)

    return jax.jit(jax.shard_map(share, mesh=mesh, in_specs=(whole, split), out_specs=split, check_vma=False))


@functools.lru_cache(maxsize=8)
def _started(env: CellWalk, mesh: Mesh) -> Callable[..., Any]:
    split = PartitionSpec(AXIS)
    start = jax.vmap(lambda key: ppo.init(env, _PPO, key))
    return jax.jit(jax.shard_map(start, mesh=mesh, in_specs=split, out_specs=split, check_vma=False))


@functools.lru_cache(maxsize=8)
def _walked(env: CellWalk, walks: int, mesh: Mesh) -> Callable[..., Any]:
    """Learning for some updates, then walks: the agents' new states, and which classes [R, C] they visit."""
    whole, split = PartitionSpec(), PartitionSpec(AXIS)
    most = int(env.default_params.max_steps_in_episode)

    def one(
        state: ppo.TrainState, key: chex.PRNGKey, value: chex.Array, reached: chex.Array, updates: Any, number: Any
    ) -> Any:
        params = dataclasses.replace(env.default_params, values=value[reached])
        reset_key, again_key, walk_key = jax.random.split(jax.random.fold_in(key, number), 3)
        state = dataclasses.replace(state, playing=reset(env, reset_key, params, _PPO.num_envs))
        state = jax.lax.fori_loop(0, updates, lambda _, s: ppo.update(env, _PPO, s, params)[0], state)
        networks = make_networks(env, _PPO, params)

        def act(key: chex.PRNGKey, obs: chex.Array, memory: Any) -> tuple[chex.Array, chex.Array, Any]:
            return networks.act(state.params, key, obs, memory)

        playing = reset(env, again_key, params, walks)
        steps = rollout(env, act, playing, walk_key, params, most)[1]
        ends = jnp.moveaxis(steps.next_obs, 1, -1).reshape(-1, steps.next_obs.shape[1])
        found = reached[places(params.codebook, ends)]
        return state, jnp.zeros(len(value), bool).at[found].set(True)

    def share(states: Any, keys: Any, values: Any, reached: Any, updates: Any, number: Any) -> Any:
        return jax.vmap(one, in_axes=(0, 0, 0, None, None, None))(states, keys, values, reached, updates, number)

    specs = (split, split, split, whole, whole, whole)
    return jax.jit(jax.shard_map(share, mesh=mesh, in_specs=specs, out_specs=(split, split), check_vma=False))
