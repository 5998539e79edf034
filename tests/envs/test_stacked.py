"""The last observations together: against observations put behind one another by hand."""

import jax
import numpy as np
import pytest
from environments import Walk

import edgerl
from edgerl import UserError
from edgerl.envs.stacked import Stacked

pytestmark = pytest.mark.usefixtures("quick_compile")  # what is compared here is which numbers come out

COUNT = 3


def stacked(env=None):
    return Stacked(env or edgerl.make("PositionOnlyCartPole-v1"), "Three-v0", COUNT)


def play(env):
    policy = edgerl.random_policy(env)
    return edgerl.simulate(env, policy, jax.random.key(3), num_envs=6, num_steps=120, trajectory=True).trajectory


def test_it_observes_the_last_observations_of_the_same_episodes():
    # Two programs, of which each is rounded in its own way.
    own, found = (play(env) for env in (edgerl.make("PositionOnlyCartPole-v1"), stacked()))
    for name in ("action", "reward", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(found, name), getattr(own, name))
    ended = np.asarray(own.terminated | own.truncated)
    assert ended.any(0).all()
    for i in range(ended.shape[1]):
        begun = 0
        for step in range(len(ended)):
            seen = [own.obs[max(begun, step - ago), i] for ago in reversed(range(COUNT))]
            after = [*seen[1:], own.next_obs[step, i]]
            for name, wanted in (("obs", seen), ("next_obs", after)):
                np.testing.assert_allclose(getattr(found, name)[step, i], np.concatenate(wanted), rtol=1e-4, atol=1e-6)
            begun = step + 1 if ended[step, i] else begun


def test_it_keeps_the_contract():
    env = stacked()
    seen = edgerl.check_environment(env)
    assert seen.truncated + seen.terminated > 0
    assert env.observation_names[::2] == (
        "cart position, m, 2 steps ago",
        "cart position, m, a step ago",
        "cart position, m",
    )
    assert env.action_names == env.env.action_names
    state = env.reset(jax.random.key(0))[1]
    np.testing.assert_array_equal(env.render(state), env.env.render(state.inner))
    assert not hasattr(env, "baselines")  # they read the environment's own observations


def test_any_environment_that_observes_vectors_can_be_stacked():
    assert Stacked(Walk(), "Two-v0", 2).observation_names == ()
    assert not hasattr(Stacked(Walk(), "Two-v0", 2), "render")
    for count in (1, 2.0, True, "2"):
        with pytest.raises(UserError, match="expected a whole number from 2 on"):
            Stacked(Walk(), "None-v0", count)
    with pytest.raises(UserError, match=r"Stacked: Catch-bsuite observes .*; expected a vector"):
        Stacked(edgerl.from_gymnax("Catch-bsuite"), "Matrix-v0", 2)
