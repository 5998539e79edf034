"""Environments of gymnax under our contract, and ours under gymnax's."""

import gymnax
import gymnax.wrappers
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from environments import Walk, WalkParams

import edgerl
from edgerl import AutoReset, check_environment, from_gymnax
from edgerl.envs.spaces import Box, Discrete


@pytest.mark.parametrize(
    ("id", "num_steps", "ends"),
    [("CartPole-v1", 64, "terminated"), ("Pendulum-v1", 256, "truncated"), ("MountainCar-v0", 256, "truncated")],
)
def test_environments_of_gymnax_conform(id, num_steps, ends):
    env = from_gymnax(gymnax.make(id)[0])
    assert env.id == id
    assert getattr(check_environment(env, num_steps=num_steps), ends) > 0


def test_spaces_are_converted():
    cartpole, pendulum, frozen_lake, catch = (
        from_gymnax(gymnax.make(id)[0]) for id in ("CartPole-v1", "Pendulum-v1", "FrozenLake-misc", "Catch-bsuite")
    )
    assert cartpole.action_space() == Discrete(2)
    assert pendulum.action_space() == Box(-2.0, 2.0, (1,))
    assert pendulum.observation_space() == Box((-1.0, -1.0, -8.0), (1.0, 1.0, 8.0), (3,))
    fast = pendulum.default_params.replace(max_speed=3.0)
    assert pendulum.observation_space(fast).high == (1.0, 1.0, 3.0)
    assert frozen_lake.observation_space().shape == ()
    assert catch.observation_space() == Box(0.0, 1.0, (10, 5))
    hash(pendulum.observation_space())


def test_simulates_as_our_own_cartpole():
    """Same dynamics, same starts' distribution: the same mean length, to four standard errors."""
    ours, theirs = edgerl.make("CartPole-v1"), from_gymnax(gymnax.make("CartPole-v1")[0])
    policy = edgerl.random_policy(ours)
    a, b = (
        edgerl.simulate(env, policy, jax.random.key(seed), num_envs=256, num_steps=1000)
        for seed, env in enumerate((ours, theirs))
    )
    error = (a.lengths.std**2 / a.episodes + b.lengths.std**2 / b.episodes) ** 0.5
    assert abs(a.lengths.mean - b.lengths.mean) < 4 * error


def _play(env, params, key, num_steps, num_envs):
    """A trainer's loop as written for gymnax 1.x."""
    key, reset_key = jax.random.split(key)
    obs, state = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(reset_key, num_envs), params)

    def step(carry, _):
        key, obs, state = carry
        key, action_key, step_key = jax.random.split(key, 3)
        action = jax.random.randint(action_key, (num_envs,), 0, env.num_actions)
        step_keys = jax.random.split(step_key, num_envs)
        next_obs, state, reward, terminated, truncated, info = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
            step_keys, state, action, params
        )
        seen = (obs, action, reward, terminated, truncated, info["final_observation"])
        return (key, next_obs, state), seen

    return jax.lax.scan(step, (key, obs, state), None, num_steps)[1]


@pytest.mark.parametrize("id", ["CartPole-v1", "MountainCar-v0"])
def test_auto_reset_is_gymnaxs_step_bit_for_bit(id):
    theirs, params = gymnax.make(id)
    play = jax.jit(_play, static_argnums=(0, 3, 4))
    key = jax.random.key(5)
    expected = play(theirs, params, key, 220, 16)
    ours = play(AutoReset(from_gymnax(theirs)), params, key, 220, 16)
    for a, b in zip(expected, ours, strict=True):
        np.testing.assert_array_equal(a, b)
    ended = expected[3] | expected[4]
    assert ended.sum() >= 16


def test_a_trainers_loop_for_gymnax_runs_unchanged_on_ours():
    env, length = AutoReset(Walk(default_params=WalkParams(max_steps=10))), 200
    obs, action, reward, terminated, truncated, last = _play(env, env.default_params, jax.random.key(0), length, 32)
    ended = terminated | truncated
    assert not (terminated & truncated).any()
    assert min(terminated.sum(), truncated.sum()) > 20
    np.testing.assert_array_equal(last[..., 0], reward)  # the reward is the position, also where the episode ended
    running = ~ended[:-1]
    np.testing.assert_array_equal(obs[1:][running], last[:-1][running])
    assert (jnp.abs(obs[1:][~running]) <= 0.1).all()  # a start
    assert (jnp.abs(last[..., 0][terminated]) > 3).all()
    assert (jnp.abs(last[..., 0][truncated]) <= 3).all()
    assert set(np.unique(action)) == {0, 1, 2}


def test_gymnaxs_wrapper_logs_our_episodes():
    env = gymnax.wrappers.LogWrapper(AutoReset(edgerl.make("CartPole-v1")))
    params = env.default_params
    obs, state = env.reset(jax.random.key(0), params)
    lengths = []
    for i in range(40):
        obs, state, _, terminated, _, info = env.step(jax.random.key(i), state, 1, params)
        if terminated:
            assert info["returned_episode"]
            lengths.append(int(info["returned_episode_lengths"]))
    assert len(lengths) >= 3
    assert all(8 <= n <= 11 for n in lengths)  # always to the right: the pole falls at once
    assert obs.shape == env.observation_space(params).shape


def test_params_are_optional_in_both():
    env = AutoReset(Walk())
    obs, state = env.reset(jax.random.key(0))
    a = env.step(jax.random.key(1), state, 1)
    b = env.step(jax.random.key(1), state, 1, env.default_params)
    jax.tree.map(np.testing.assert_array_equal, a, b)
    env = from_gymnax(gymnax.make("CartPole-v1")[0])
    obs, state = env.reset(jax.random.key(0))
    assert env.step(jax.random.key(1), state, 1)[0].shape == obs.shape
