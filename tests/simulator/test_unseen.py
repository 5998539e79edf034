"""Policies that do not look at observations: the same episodes as if they did."""

import jax
import jax.numpy as jnp
import pytest
from environments import Walk

import edgerl
from edgerl import simulate
from edgerl.simulator.shortcuts import ignores
from edgerl.simulator.simulate import random_policy

pytestmark = pytest.mark.usefixtures("quick_compile")

ENVIRONMENTS = {"walk": Walk(), "cartpole": edgerl.make("CartPole-v1")}
OBS = jax.ShapeDtypeStruct((4,), jnp.float32)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_same_episodes(name):
    env = ENVIRONMENTS[name]
    policy = random_policy(env)

    def looking(key, obs):
        return policy(key, obs) + 0 * obs[0].astype(jnp.int32)

    blind, seen = (simulate(env, p, jax.random.key(1), num_envs=50, num_steps=200) for p in (policy, looking))
    assert blind.episodes > 100
    assert blind == seen


def test_what_a_policy_ignores():
    def both(key, obs):
        return (obs[0] > jax.random.uniform(key)).astype(jnp.int32)

    def neither(key, obs):
        return jnp.int32(1)

    def returned(key, obs):
        return obs

    seen = {p: (ignores(p, OBS, 0), ignores(p, OBS, 1)) for p in (both, neither, returned)}
    assert seen == {both: (False, False), neither: (True, True), returned: (True, False)}
    assert ignores(random_policy(ENVIRONMENTS["cartpole"]), OBS, 1)
    parts = {"angle": OBS, "place": OBS}
    assert not ignores(lambda key, obs: obs["place"], parts, 1)
    assert ignores(lambda key, obs: jax.random.bits(key), parts, 1)


def test_a_policy_may_ask_for_the_shape_of_what_it_does_not_look_at():
    def policy(key, obs):
        return jax.random.randint(key, (), 0, obs.shape[0] // 2)

    assert simulate(ENVIRONMENTS["cartpole"], policy, jax.random.key(0), num_envs=8, num_steps=100).episodes > 10
