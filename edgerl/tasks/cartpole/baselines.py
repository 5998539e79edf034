"""Policies to compare a learnt one with, and the observations on which a learnt one is calibrated for int8."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.deciding import Policy
from edgerl.simulator.simulate import simulate
from edgerl.tasks.cartpole.env import CartPole

# Gains on position, velocity, angle and angular velocity, set by hand: lean the pole towards the centre and follow it.
_GAINS = (0.05, 0.15, 1.0, 0.35)


def linear_controller(key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
    """Pushes right where a fixed weighted sum of the observation is positive."""
    del key
    return (sum(gain * obs[i] for i, gain in enumerate(_GAINS)) > 0).astype(jnp.int32)


def visited_observations(
    env: CartPole, policy: Policy, key: chex.PRNGKey, count: int, disturbance: float = 0.0
) -> np.ndarray:
    """float32 [count, 4]: a sample of what a policy sees when each action is random with probability `disturbance`.

    With a disturbance the cart and the pole are thrown about, so that the sample holds the recovery states that a
    well-behaved policy rarely meets: an int8 range that leaves them out saturates just where it matters most.
    """
    run_key, pick_key = jax.random.split(key)

    def disturbed(key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
        action_key, coin_key, random_key = jax.random.split(key, 3)
        randomly = jax.random.uniform(coin_key) < disturbance
        return jnp.where(randomly, env.action_space().sample(random_key), policy(action_key, obs))

    steps = env.default_params.max_steps_in_episode
    lanes = max(64, -(-2 * count // steps))
    stats = simulate(env, disturbed, run_key, num_envs=lanes, num_steps=steps, trajectory=True)
    assert stats.trajectory is not None  # asked for
    seen = np.asarray(stats.trajectory.obs).reshape(-1, 4)
    return seen[np.asarray(jax.random.choice(pick_key, len(seen), (count,), replace=False))]
