"""The observations on which a policy is calibrated for int8."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.deciding import Policy
from edgerl.envs.environment import Environment
from edgerl.simulator.simulate import simulate

COUNT = 20_000  # observations, with every fifth action random
DISTURBANCE = 0.2
LANES = 64  # at least
MOST_STEPS = 1000  # of each: longer episodes would fill the memory and show little more


def visited(
    env: Environment,
    policy: Policy,
    key: chex.PRNGKey,
    steps: int,
    count: int = COUNT,
    disturbance: float = DISTURBANCE,
) -> np.ndarray:
    """float32 [count, features]: a sample of what a policy sees when each action is random with a small probability.

    With a disturbance the sample holds the recovery states that a well-behaved policy rarely meets: an int8 range that
    leaves them out saturates just where it matters most.

    Args:
      steps: of an episode at most; no more than `MOST_STEPS` are played.
      count: how many observations.
      disturbance: probability of a random action, 0 to 1.
    """
    steps = min(steps, MOST_STEPS)
    run_key, pick_key = jax.random.split(key)

    def disturbed(key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
        action_key, coin_key, random_key = jax.random.split(key, 3)
        randomly = jax.random.uniform(coin_key) < disturbance
        return jnp.where(randomly, env.action_space().sample(random_key), policy(action_key, obs))

    lanes = max(LANES, -(-2 * count // steps))
    stats = simulate(env, disturbed, run_key, num_envs=lanes, num_steps=steps, trajectory=True)
    assert stats.trajectory is not None  # asked for
    seen = np.asarray(stats.trajectory.obs)
    seen = seen.reshape(-1, seen.shape[-1])
    return seen[np.asarray(jax.random.choice(pick_key, len(seen), (count,), replace=False))]
