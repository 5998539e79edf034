"""What an environment gives whatever happens is known before it is simulated."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from environments import Fixed, FixedParams, Walk

import edgerl
from edgerl.envs.forms import environment_forms
from edgerl.simulator.shortcuts import constants_of
from edgerl.simulator.simulate import random_policy
from edgerl.tasks.cartpole.env import CartPole

KEY = jax.random.key(0)


def known_of(env):
    return constants_of(env, environment_forms("test", env, env.default_params))


def test_a_reward_is_constant_only_if_neither_state_nor_parameters_change_it():
    assert known_of(edgerl.make("CartPole-v1")).reward == 1.0
    assert known_of(edgerl.make("EarlyExit-v0")).reward is None
    assert known_of(Walk()).reward is None
    assert known_of(Fixed()).reward is None  # a parameter


def test_the_clock_starts_at_0_and_all_else_is_drawn():
    obs, state = known_of(edgerl.make("CartPole-v1")).start
    assert (obs, state.x, state.x_dot, state.theta, state.theta_dot) == (None,) * 5
    assert state.time == 0
    assert state.time.dtype == np.int32


@dataclasses.dataclass(frozen=True)
class Paying(Fixed):
    """The same, and what every step pays is a constant."""

    pays: float = 0.0

    def step(self, key, state, action, params=None):
        obs, state, _, terminated, truncated, info = super().step(key, state, action, params)
        return obs, state, jnp.float32(self.pays), terminated, truncated, info


def test_returns_are_those_of_the_same_reward_summed(quick_compile):
    for reward in (0.5, -2.0, 0.0):
        summed = Fixed(default_params=FixedParams(7, reward))
        known = Paying(default_params=FixedParams(7), pays=reward)
        assert known_of(known).reward == reward
        results = [edgerl.simulate(e, random_policy(e), KEY, num_envs=3, num_steps=100) for e in (summed, known)]
        assert results[0] == results[1]
        assert results[1].returns.mean == 7 * reward


def test_cartpoles_returns_are_its_lengths(quick_compile):
    env = edgerl.make("CartPole-v1")
    assert isinstance(env, CartPole)
    stats = edgerl.simulate(env, random_policy(env), KEY, num_envs=50, num_steps=200)
    assert stats.returns == stats.lengths
