"""Plays a policy for some steps in many environments, episodes tracked, nothing learnt."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct

from edgerl.envs.environment import Environment, Params, State, take_step
from edgerl.rl.share import ALONE, Share
from edgerl.simulator.lanes import Transition

LAST = -1  # environments are the last axis of everything: short vectors would stop the vector unit

# (key, observations [..., N], memory) -> (actions [..., N], log-probabilities float32 [N], memory afterwards)
Act = Callable[[chex.PRNGKey, chex.Array, Any], tuple[chex.Array, chex.Array, Any]]


@struct.dataclass
class RolloutState:
    """Where N environments stand; every leaf has N as its last axis."""

    obs: chex.Array
    state: State
    episode_return: chex.Array  # float32 [N], of the running episode
    episode_length: chex.Array  # int32 [N]
    memory: Any = None  # what the networks remember of the running episode, 0 before it


@struct.dataclass
class RolloutStep(Transition):
    """What happened on one step, and what the environment says of it in `info["discount"]`, if anything."""

    discount: chex.Array | None = None


@struct.dataclass
class EpisodeStats:
    """Episodes that ended in a rollout: sums."""

    count: chex.Array  # int32
    total_return: chex.Array  # float32
    total_length: chex.Array  # int32


def reset(env: Environment, key: chex.PRNGKey, params: Params, num_envs: int, memory: Any = None) -> RolloutState:
    """Resets all environments; the key is consumed. `memory` is that of networks before an episode."""
    obs, state = jax.vmap(lambda k: env.reset(k, params), out_axes=LAST)(jax.random.split(key, num_envs))
    return RolloutState(obs, state, jnp.zeros(num_envs, jnp.float32), jnp.zeros(num_envs, jnp.int32), memory)


def rollout(
    env: Environment,
    act: Act,
    playing: RolloutState,
    key: chex.PRNGKey,
    params: Params,
    num_steps: int,
    played: Callable[[chex.Array], chex.Array] = lambda action: action,
    share: Share = ALONE,
) -> tuple[RolloutState, RolloutStep, chex.Array, EpisodeStats]:
    """Plays `num_steps` steps; an ended episode is followed by a new one. The key is consumed.

    An environment whose steps take different times may say in `info["discount"]`, float32, what a reward after the step
    is worth before it; it then counts instead of the configuration's `discount`.

    Args:
      played: what the environment is given for one of `act`'s actions.
      share: of all environments, those that are played here.
    Returns:
      Where the environments stand, the transitions [num_steps, ..., N], the actions' log-probabilities
      float32 [num_steps, N], and the episodes that ended on the way in all environments, those of others included.
    """
    num_envs = playing.episode_length.shape[0]

    def lane(
        playing: RolloutState, action: chex.Array, key: chex.PRNGKey
    ) -> tuple[RolloutState, RolloutStep, EpisodeStats]:
        step_key, reset_key = jax.random.split(key)
        obs, state, reward, *ends, info = take_step(env, step_key, playing.state, played(action), params)
        terminated, truncated = ends
        going = RolloutState(obs, state, playing.episode_return + reward, playing.episode_length + 1)
        fresh = RolloutState(*env.reset(reset_key, params), jnp.float32(0), jnp.int32(0))
        ended = terminated | truncated
        done = EpisodeStats(jnp.int32(1), going.episode_return, going.episode_length)
        return (
            jax.tree.map(lambda new, old: jnp.where(ended, new, old), fresh, going),
            RolloutStep(playing.obs, action, reward, terminated, truncated, obs, info.get("discount")),
            jax.tree.map(lambda x: jnp.where(ended, x, 0), done),
        )

    def step(carry: tuple[RolloutState, EpisodeStats], key: chex.PRNGKey) -> tuple[Any, tuple[RolloutStep, chex.Array]]:
        playing, finished = carry
        act_key, lane_key = jax.random.split(key)
        action, log_prob, memory = act(act_key, playing.obs, playing.memory)
        keys = share.own(jax.random.split(lane_key, share.parts * num_envs))
        memoryless = replace(playing, memory=None)
        playing, happened, done = jax.vmap(lane, in_axes=(LAST, LAST, 0), out_axes=LAST)(memoryless, action, keys)
        memory = jax.tree.map(lambda x: jnp.where(happened.terminated | happened.truncated, 0, x), memory)
        playing = replace(playing, memory=memory)
        return (playing, jax.tree.map(jnp.add, finished, done)), (happened, log_prob)

    none = jnp.zeros(num_envs, jnp.int32)
    start = (playing, EpisodeStats(none, jnp.zeros(num_envs, jnp.float32), none))
    (playing, finished), (steps, log_probs) = jax.lax.scan(step, start, jax.random.split(key, num_steps))
    return playing, steps, log_probs, share.total(jax.tree.map(jnp.sum, finished))
