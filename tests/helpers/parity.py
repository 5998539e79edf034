"""How an environment is compared with another implementation, on the states that play reaches, and its players."""

import jax
import numpy as np

import edgerl
from edgerl.rl.evaluation import play_episodes


def played(env, policy, num_envs, num_steps, seed=0):
    """States before each step and the actions taken in them, NumPy arrays [num_envs * num_steps, ...].

    Ended episodes are followed by new ones, which a policy that reaches the goal soon would else not do.
    """
    auto = edgerl.AutoReset(env)

    def step(carry, key):
        obs, state = carry
        act_key, step_key = jax.random.split(key)
        action = policy(act_key, obs)
        later, after, *_ = auto.step(step_key, state, action, env.default_params)
        return (later, after), (state, action)

    def lane(key):
        start_key, key = jax.random.split(key)
        return jax.lax.scan(step, auto.reset(start_key, env.default_params), jax.random.split(key, num_steps))[1]

    found = jax.jit(jax.vmap(lane))(jax.random.split(jax.random.key(seed), num_envs))
    return jax.tree.map(lambda x: np.asarray(x).reshape(-1, *x.shape[2:]), found)


def stepped(env, states, actions):
    """What `env.step` returns for each of N states and actions, NumPy arrays [N, ...], without `info`."""
    step = jax.jit(jax.vmap(env.step, in_axes=(None, 0, 0)))
    return jax.tree.map(np.asarray, step(jax.random.key(0), states, actions)[:5])


def assert_close(got, expected, tolerance):
    """Within `tolerance` of the larger of 1 and the expected number, everywhere."""
    error = np.abs(np.asarray(got, np.float64) - expected) / (1 + np.abs(expected))
    assert error.max() <= tolerance, error.max(axis=0)


def assert_flags(got, expected, margin, tolerance, most):
    """Flags are equal but where `margin`, the distance from a limit, is within `tolerance`: `most` times at most."""
    differ, near = np.asarray(got) != expected, np.abs(margin) <= tolerance
    assert not (differ & ~near).any()
    assert near.sum() <= most


def returns_of(env, policy, num_envs=1000):
    """float32 [num_envs]: of one whole episode each, from starts on which no baseline was tuned."""

    def together(key, obs):
        return jax.vmap(policy)(jax.random.split(key, num_envs), obs)

    params = env.default_params
    key, steps = jax.random.key(7), params.max_steps_in_episode
    return np.asarray(play_episodes(env, together, key, params, num_envs, steps).returns)
