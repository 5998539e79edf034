"""Greedy policies decided once a state: the same episodes as when the network decides on every step."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from synthetic import synthetic_table

import edgerl
from edgerl import simulate
from edgerl.envs.policy import MLPPolicy
from edgerl.simulator.shortcuts import states_to_tabulate, tabulate
from edgerl.simulator.simulate import random_policy
from edgerl.tasks.early_exit.env import EXIT, EarlyExit
from edgerl.tasks.early_exit.factory import from_table

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(3)


class Uncounted(EarlyExit):
    """The same environment, which does not count its states."""

    def num_states(self, params):
        return None


def _env(kind=EarlyExit, **options):
    env = from_table(synthetic_table(200), **options)
    return kind(**{f.name: getattr(env, f.name) for f in dataclasses.fields(env)})


def _network(features=4):
    """Stops where the confidence, which weighs most, is high enough."""
    key = jax.random.key(1)
    kernels = (jax.random.normal(key, (features, 8)).at[0].set(9.0), jnp.ones((8, 2)).at[:, EXIT].set(2.0))
    return MLPPolicy(kernels, (jnp.zeros(8), jnp.array([30.0, 0.0])))


def _threshold(key, obs):
    return (obs[0] > 0.8).astype(jnp.int32)


def _sampling(key, obs):
    return (obs[0] > jax.random.uniform(key)).astype(jnp.int32)


@pytest.mark.parametrize("policy", [_network(), _threshold], ids=["network", "function"])
def test_the_episodes_are_those_of_the_policy_on_every_step(policy):
    known, usual = (
        simulate(_env(kind), policy, KEY, num_envs=300, num_steps=9, trajectory=True) for kind in (EarlyExit, Uncounted)
    )
    assert 1.2 < known.lengths.mean < 3.8  # the policy does both
    assert known.as_dict() == usual.as_dict()
    jax.tree.map(np.testing.assert_array_equal, known.trajectory, usual.trajectory)


def test_what_is_decided_in_each_state():
    env = _env()
    params = env.default_params
    actions = tabulate(env, _threshold, params, 400).actions[:400]
    confidence = [env.observe(env.state_at(jnp.int32(i)), params)[0] for i in range(0, 400, 97)]
    np.testing.assert_array_equal(actions[::97] == EXIT, np.array(confidence) > 0.8)


def test_when_it_pays():
    """With as many steps as states, actions that do not depend on the key, and nothing drawn in an episode."""
    env = _env()

    def count(policy, steps=10**6, env=env):
        return states_to_tabulate(env, policy, env.default_params, steps)

    assert env.num_states(env.default_params) == count(_network()) == count(_threshold) == count(_network(), 400) == 400
    assert count(_network(), 399) is None
    assert count(_sampling) is count(random_policy(env)) is None
    assert count(_network(5), env=_env(draw_preference=True)) is count(_network(), env=_env(draw_budget=True)) is None
    cartpole = edgerl.make("CartPole-v1")
    assert count(_network(), env=cartpole) is None


def test_parameters_of_each_environment():
    """Where they differ, so do the observations of one state: the network decides on every step."""
    env = _env()
    params = dataclasses.replace(env.default_params, alpha=jnp.linspace(0.5, 1.5, 64))
    stats = simulate(env, _network(), KEY, num_envs=64, num_steps=40, params=params)
    assert stats.episodes > 400
