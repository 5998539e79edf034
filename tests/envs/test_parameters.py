"""Parameters as constants and as data."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import edgerl
from edgerl import simulate
from edgerl.simulator.simulate import random_policy
from edgerl.tasks.cartpole.env import CartPole, CartPoleParams

KEY = jax.random.key(0)
ENV = edgerl.make("CartPole-v1")


def test_the_default_numbers_given_one_by_one_are_the_default():
    stats = [
        simulate(ENV, random_policy(ENV), KEY, num_envs=100, num_steps=300, params=params)
        for params in (None, CartPoleParams(), jax.tree.map(jnp.asarray, CartPoleParams()))
    ]
    assert stats[0] == stats[1] == stats[2]
    # As data and not as constants, numbers may be rounded otherwise: other episodes, the same task.
    longer = dataclasses.replace(CartPoleParams(), max_steps_in_episode=501)
    other = simulate(ENV, random_policy(ENV), KEY, num_envs=100, num_steps=300, params=longer)
    assert other.lengths.mean == pytest.approx(stats[0].lengths.mean, rel=0.02)


def test_equal_environments_with_other_defaults_are_not_mistaken_for_each_other():
    @dataclasses.dataclass(frozen=True)
    class Alike(CartPole):
        default_params: CartPoleParams = dataclasses.field(default_factory=CartPoleParams, compare=False)

    short, long = (Alike("Alike-v0", CartPoleParams(max_steps_in_episode=n)) for n in (5, 7))
    assert short == long
    policy = random_policy(short)
    lengths = [simulate(env, policy, KEY, num_envs=8, num_steps=35).lengths.max for env in (short, long)]
    assert lengths == [5, 7]
