"""Plays policies to the end of whole episodes."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs import prng
from edgerl.envs.deciding import Policy, decide, states_of
from edgerl.envs.environment import Environment, Params, take_step


@struct.dataclass
class Episodes:
    """One episode of each of N environments; float32 and int32 [N]."""

    returns: chex.Array
    lengths: chex.Array


def play_episodes(
    env: Environment, policy: Policy, key: chex.PRNGKey, params: Params, num_envs: int, most_steps: int
) -> Episodes:
    """Plays the first episode of each environment to its end, or for `most_steps` steps if it goes on longer.

    `edgerl.simulate` counts all episodes that end within its steps, so that short ones count more often than long ones.
    Here each environment counts once. Pure: may be vmapped over policies. The key is consumed.

    Args:
      policy: of all environments at once: one key, observations [N, …], actions [N]. Ours are such policies. One with
        memory takes states [N, …], too, and begins each episode with its initial one.
    """
    start_key, key = jax.random.split(prng.derive(key))
    obs, state = jax.vmap(lambda k: env.reset(k, params))(jax.random.split(start_key, num_envs))
    alive = jnp.ones(num_envs, bool)

    def going(carry: tuple[chex.Array, ...]) -> chex.Array:
        return carry[0].any() & (carry[1] < most_steps)

    def step(carry: Any) -> Any:
        alive, time, obs, state, episodes, memory = carry
        act_key, step_key = jax.random.split(jax.random.fold_in(key, time))
        action, memory = decide(policy, act_key, obs, memory)
        obs, state, reward, terminated, truncated, _ = jax.vmap(lambda k, s, a: take_step(env, k, s, a, params))(
            jax.random.split(step_key, num_envs), state, action
        )
        episodes = Episodes(episodes.returns + jnp.where(alive, reward, 0), episodes.lengths + alive)
        return alive & ~(terminated | truncated), time + 1, obs, state, episodes, memory

    none = Episodes(jnp.zeros(num_envs, jnp.float32), jnp.zeros(num_envs, jnp.int32))
    memory = states_of(policy, (num_envs,))
    return jax.lax.while_loop(going, step, (alive, jnp.int32(0), obs, state, none, memory))[-2]


def summary(episodes: Episodes) -> dict[str, Any]:
    """Plain numbers: how many, and mean, standard deviation, minimum and maximum of returns and lengths."""

    def numbers(x: chex.Array) -> dict[str, float]:
        x = np.asarray(x, np.float64)
        return {"mean": float(x.mean()), "std": float(x.std()), "min": float(x.min()), "max": float(x.max())}

    return {
        "episodes": len(episodes.returns),
        "returns": numbers(episodes.returns),
        "lengths": numbers(episodes.lengths),
    }
