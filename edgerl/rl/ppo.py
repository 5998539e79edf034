"""Proximal policy optimisation as pure functions: `init`, `update`, and `train`, which is one compiled program.

Reference: Schulman et al., "Proximal Policy Optimization Algorithms", 2017.
"""

from dataclasses import replace
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.flatten_util import ravel_pytree

from edgerl.envs import prng
from edgerl.envs.entry import environment_of
from edgerl.envs.environment import Environment, Params
from edgerl.envs.forms import environment_forms
from edgerl.envs.policy_file import FloatPolicy
from edgerl.rl import losses, normalisation
from edgerl.rl.config import PPOConfig
from edgerl.rl.losses import Minibatch
from edgerl.rl.make_networks import make_networks
from edgerl.rl.networks import Networks, Variables
from edgerl.rl.normalisation import Statistics
from edgerl.rl.pieces import mean_over, pieces
from edgerl.rl.rollout import EpisodeStats, RolloutState, reset, rollout
from edgerl.rl.share import ALONE, Share
from edgerl.rl.shuffle import permutation
from edgerl.util.content import jit_by_content

Metrics = dict[str, chex.Array]
METRICS = ("episodes", "episode_return", "episode_length", "loss", *losses.PARTS, "grad_norm", "explained_variance")


@struct.dataclass
class TrainState:
    """All that a training needs to go on to the same bits."""

    params: Variables  # of both networks
    opt_state: optax.OptState  # for the parameters as one vector
    playing: RolloutState  # N environments
    key: chex.PRNGKey
    statistics: Statistics | None = None  # where the configuration asks for some


def init(env: Environment, config: PPOConfig, key: chex.PRNGKey, env_params: Params | None = None) -> TrainState:
    """The state before the first update. The key, of any kind, is consumed.

    Raises:
      UserError: the configuration does not fit itself or the environment.
    """
    config.check()
    env = environment_of(env, "ppo")
    env_params = env.default_params if env_params is None else env_params
    network_key, reset_key, key = jax.random.split(prng.derive(key), 3)
    environment_forms("ppo", env, env_params)
    networks = make_networks(env, config, env_params)
    params = networks.init(network_key)
    opt_state = optimiser(config).init(ravel_pytree(params)[0])
    playing = reset(env, reset_key, env_params, config.num_envs, networks.memory(config.num_envs))
    return TrainState(params, opt_state, playing, key, normalisation.start(config, networks.features))


def update(
    env: Environment,
    config: PPOConfig,
    state: TrainState,
    env_params: Params | None = None,
    share: Share = ALONE,
) -> tuple[TrainState, Metrics]:
    """One iteration: plays `num_steps` steps in each environment, then learns from them.

    Args:
      share: of the environments that the configuration asks for, those in `state`; inside `jax.shard_map`.
    Returns:
      The state after it, and the `METRICS`, float32 scalars: `episodes` that ended, the means of their
      `episode_return` and `episode_length` (NaN if none ended), the means over all gradient steps of the parts of the
      loss and of the gradient's norm, and the `explained_variance` of the value function before it learnt.
    """
    env_params = env.default_params if env_params is None else env_params
    networks = make_networks(env, config, env_params, state.statistics)
    key, play_key, learn_key = jax.random.split(state.key, 3)

    def act(key: chex.PRNGKey, obs: chex.Array, memory: Any) -> tuple[chex.Array, chex.Array, Any]:
        return networks.act(state.params, share.key(key), obs, memory)

    playing, steps, log_probs, finished = rollout(
        env, act, state.playing, play_key, env_params, config.num_steps, networks.head.played, share
    )
    before = state.playing.memory
    samples, memory = networks.samples(state.params, steps, log_probs, before, playing.memory, config, share)
    playing = replace(playing, memory=memory)
    params, opt_state, parts = _learn(networks, config, state, samples, learn_key, share)
    unexplained = jnp.var(samples.advantage) / (jnp.var(samples.target) + 1e-8)
    metrics = {**_episodes(finished), **parts, "explained_variance": 1 - unexplained}
    if state.statistics is None:
        return TrainState(params, opt_state, playing, key), metrics
    statistics = normalisation.updated(
        state.statistics, samples.obs.reshape(networks.features, -1), samples.target.reshape(-1)
    )
    later = make_networks(env, config, env_params, statistics)
    params = later.with_values_of(networks, params)
    return TrainState(params, opt_state, playing, key, statistics), metrics


@jit_by_content("env")
def train(
    env: Environment, config: PPOConfig, key: chex.PRNGKey, env_params: Params | None = None
) -> tuple[TrainState, Metrics]:
    """Trains from the start: the last state, and the metrics [num_updates] of every update. One compiled program.

    Everything but `env` and the configuration's static keys may be vmapped: seeds (`key`), rates (`config`), and
    what the environment rewards (`env_params`).
    """
    env_params = env.default_params if env_params is None else env_params

    def step(state: TrainState, _: None) -> tuple[TrainState, Metrics]:
        return update(env, config, state, env_params)

    return jax.lax.scan(step, init(env, config, key, env_params), None, config.num_updates)


def greedy_policy(
    env: Environment, config: PPOConfig, state: TrainState, env_params: Params | None = None
) -> FloatPolicy:
    """What a state has learnt, without exploration."""
    return make_networks(env, config, env_params, state.statistics).greedy(state.params)


def optimiser(config: PPOConfig) -> optax.GradientTransformation:
    """Adam on the clipped gradient, its step size falling to 0 over the whole training as `schedule` says."""
    steps = config.num_updates * config.epochs * config.num_minibatches
    schedules = {
        "constant": lambda _: config.learning_rate,
        "linear": optax.linear_schedule(config.learning_rate, 0.0, steps),
        "cosine": optax.cosine_decay_schedule(config.learning_rate, steps),
    }
    return optax.chain(
        optax.clip_by_global_norm(config.max_grad_norm),
        optax.scale_by_adam(b2=config.adam_b2, eps=1e-5),
        optax.scale_by_learning_rate(schedules[config.schedule]),
    )


def _learn(
    networks: Networks, config: PPOConfig, state: TrainState, samples: Minibatch, key: chex.PRNGKey, share: Share
) -> tuple[Variables, optax.OptState, Metrics]:
    """`epochs` passes over the samples, each in another order. The optimiser sees the parameters as one vector.

    Every device has all samples, and learns from its share of each minibatch: the minibatches are those of one device.
    """
    vector, restore = ravel_pytree(state.params)
    optimise = optimiser(config)

    def loss(vector: chex.Array, batch: Minibatch) -> tuple[chex.Array, chex.Array]:
        params = restore(vector)
        parameters, values, batch = networks.learnt_from(params, batch)
        return losses.ppo_loss(networks.head, parameters, values, batch, config, networks.value_scale)

    def step(carry: tuple[chex.Array, optax.OptState], batch: Minibatch) -> tuple[Any, tuple[chex.Array, ...]]:
        vector, opt_state = carry
        count = pieces(config, batch.advantage.shape[-1])
        gradient, parts = mean_over(lambda part: jax.grad(loss, has_aux=True)(vector, part), batch, count)
        gradient = share.mean(gradient)
        change, opt_state = optimise.update(gradient, opt_state)
        return (optax.apply_updates(vector, change), opt_state), (parts, optax.tree.norm(gradient))

    def epoch(carry: tuple[chex.Array, optax.OptState], key: chex.PRNGKey) -> tuple[Any, tuple[chex.Array, ...]]:
        # All of an epoch's minibatches are gathered at once: a few large kernels instead of many small ones.
        order = share.own(permutation(key, samples.advantage.shape[-1]).reshape(config.num_minibatches, -1))
        batches = jax.tree.map(lambda x: jnp.moveaxis(x[..., order], -2, 0), samples)
        batches = batches.replace(advantage=jax.vmap(lambda x: losses.normalised(x, share))(batches.advantage))
        return jax.lax.scan(step, carry, batches)

    keys = jax.random.split(key, config.epochs)
    (vector, opt_state), (parts, norms) = jax.lax.scan(epoch, (vector, state.opt_state), keys)
    mean = share.mean(jnp.mean(parts, axis=(0, 1)))
    metrics = {"loss": losses.total(mean, config), **dict(zip(losses.PARTS, mean, strict=True))}
    return restore(vector), opt_state, {**metrics, "grad_norm": jnp.mean(norms)}


def _episodes(finished: EpisodeStats) -> Metrics:
    count = finished.count.astype(jnp.float32)
    return {
        "episodes": count,
        "episode_return": finished.total_return / count,
        "episode_length": finished.total_length / count,
    }
