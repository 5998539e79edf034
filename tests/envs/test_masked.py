"""Environments without velocities: what is left of each observation is the whole environment's."""

import jax
import numpy as np
import pytest
from environments import Walk

import edgerl
from edgerl import UserError
from edgerl.envs.masked import Masked

pytestmark = pytest.mark.usefixtures("quick_compile")  # what is compared here is which numbers come out

KEPT = {"CartPole-v1": (0, 2), "Pendulum-v1": (0, 1)}


def play(env):
    return edgerl.simulate(
        env, edgerl.random_policy(env), jax.random.key(3), num_envs=70, num_steps=250, trajectory=True
    )


@pytest.mark.parametrize("id", KEPT)
def test_episodes_are_those_of_the_whole_with_columns_removed(id):
    whole, masked = edgerl.make(id), edgerl.make(id, velocities=False)
    expected, found = play(whole), play(masked)
    kept = list(KEPT[id])
    for name in ("obs", "next_obs"):
        seen = getattr(expected.trajectory, name)[..., kept]
        np.testing.assert_array_equal(getattr(found.trajectory, name), seen)
    for name in ("action", "reward", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(found.trajectory, name), getattr(expected.trajectory, name))
    assert found.as_dict() == expected.as_dict()
    assert found.episodes >= 70


@pytest.mark.parametrize("id", KEPT)
def test_it_keeps_the_contract_under_an_id_of_its_own(id):
    masked, whole = edgerl.make(id, velocities=False), edgerl.make(id)
    seen = edgerl.check_environment(masked)
    assert seen.truncated + seen.terminated > 0
    assert masked == edgerl.make(f"PositionOnly{id}") != whole
    assert masked.id == f"PositionOnly{id}"
    assert masked.observation_names == tuple(whole.observation_names[i] for i in KEPT[id])
    assert not any("velocity" in name for name in masked.observation_names)
    assert masked.action_names == whole.action_names
    assert not hasattr(masked, "baselines")  # they read velocities
    state = masked.reset(jax.random.key(0))[1]
    np.testing.assert_array_equal(masked.render(state), whole.render(state))
    assert edgerl.make(id, velocities=True) == whole


def test_parameters_go_through():
    masked = edgerl.make("CartPole-v1", velocities=False)
    params = masked.default_params.replace(x_threshold=np.linspace(0.5, 2.4, 64, dtype=np.float32))
    policy = edgerl.random_policy(masked)
    stats = edgerl.simulate(masked, policy, jax.random.key(0), num_envs=64, num_steps=100, params=params)
    assert stats.episodes > 64


def test_any_environment_that_observes_vectors_can_be_masked():
    assert Masked(Walk(), "Same-v0", (0,)).observation_names == ()
    assert not hasattr(Masked(Walk(), "Same-v0", (0,)), "render")
    with pytest.raises(UserError, match=r"kept is \(0, 1\); expected some of 0 to 0"):
        Masked(Walk(), "More-v0", (0, 1))
    with pytest.raises(UserError, match=r"expected some of 0 to 0"):
        Masked(Walk(), "None-v0", ())
    with pytest.raises(UserError, match="'CartPole-v0' does not take these options"):
        edgerl.make("CartPole-v0", velocities=False)
