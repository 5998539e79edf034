"""The observations on which a policy is calibrated for int8."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.deciding import Policy, Remembering, Wrapped, decide, states_of
from edgerl.envs.environment import Environment
from edgerl.simulator.lanes import Transition
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

    Of a policy with memory, [count, features + units]: what it sees, and behind it what it remembers then.

    With a disturbance the sample holds the recovery states that a well-behaved policy rarely meets: an int8 range that
    leaves them out saturates just where it matters most.

    Args:
      steps: of an episode at most; no more than `MOST_STEPS` are played.
      count: how many observations.
      disturbance: probability of a random action, 0 to 1.
    """
    steps = min(steps, MOST_STEPS)
    run_key, pick_key = jax.random.split(key)

    def acted(key: chex.PRNGKey, obs: chex.Array, state: Any) -> tuple[chex.Array, Any]:
        action_key, coin_key, random_key = jax.random.split(key, 3)
        randomly = jax.random.uniform(coin_key) < disturbance
        action, state = decide(policy, action_key, obs, state)
        return jnp.where(randomly, env.action_space().sample(random_key), action), state

    disturbed: Policy = lambda key, obs: acted(key, obs, None)[0]  # noqa: E731
    if isinstance(policy, Remembering):
        disturbed = Wrapped(policy, acted)
    lanes = max(LANES, -(-2 * count // steps))
    stats = simulate(env, disturbed, run_key, num_envs=lanes, num_steps=steps, trajectory=True)
    assert stats.trajectory is not None  # asked for
    remembers = isinstance(policy, Remembering)
    seen = np.asarray(with_states(policy, stats.trajectory) if remembers else stats.trajectory.obs)
    seen = seen.reshape(-1, seen.shape[-1])
    return seen[np.asarray(jax.random.choice(pick_key, len(seen), (count,), replace=False))]


@jax.jit
def with_states(policy: Any, played: Transition) -> chex.Array:
    """Observations of steps [T, N, ...], and behind each what a policy remembers then: [T, N, features + units]."""

    def step(state: chex.Array, now: tuple[chex.Array, chex.Array]) -> tuple[chex.Array, chex.Array]:
        obs, ended = now
        after = policy(None, obs, state)[1]
        return jnp.where(ended[:, None], policy.initial_state(), after), jnp.concatenate([obs, state], axis=-1)

    begin = states_of(policy, (played.obs.shape[1],))
    return jax.lax.scan(step, begin, (played.obs, played.terminated | played.truncated))[1]
