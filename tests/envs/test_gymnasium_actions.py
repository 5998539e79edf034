"""Actions in the forms in which users of Gymnasium give them."""

import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest
from environments import Walk

import edgerl
from edgerl import UserError
from edgerl.envs.spaces import Box

UP = np.nextafter(np.float32(2), np.float32(3))


class Push(Walk):
    """A walk that is pushed by a number and pays where it ends up; beyond the bounds it is not clipped."""

    def action_space(self, params=None):
        return Box(-2.0, 2.0, (1,))

    def step(self, key, state, action, params=None):
        assert action.dtype == jnp.float32
        return super().step(key, state, action[0] + 1, params)


@pytest.fixture(scope="module")
def push():
    return edgerl.to_gymnasium(Push())


@pytest.fixture(scope="module")
def walk():
    return edgerl.to_gymnasium(Walk())


def _moved(env, action):
    """By how much an action moves the walk, to a few standard deviations of its noise."""
    start = env.reset(seed=0)[0]
    return env.step(action)[1] - np.float64(start).reshape(-1)


@pytest.mark.parametrize(
    ("action", "moved"),
    [
        (np.array([0.5], np.float32), 0.5),
        (np.array([0.5]), 0.5),
        (np.array([0.5], np.float16), 0.5),
        ([0.5], 0.5),
        ((0.5,), 0.5),
        (jnp.array([0.5]), 0.5),
        (np.array([1]), 1),
        (np.array([True]), 1),
        (np.array([50.0], np.float32), 50),
        (np.array([-50.0]), -50),
        (np.array([UP]), 2),
    ],
)
def test_a_box_takes_real_numbers_of_any_type_beyond_its_bounds_too(push, action, moved):
    np.testing.assert_allclose(_moved(push, action), moved, atol=0.5)


@pytest.mark.parametrize("action", [2, np.int64(2), np.array(2), jnp.array(2), np.uint8(2), np.array(2, np.int16)])
def test_a_discrete_space_takes_integers_of_any_type(walk, action):
    np.testing.assert_allclose(_moved(walk, action), 1, atol=0.5)


@pytest.mark.parametrize("action", [True, np.bool_(True)])
def test_a_discrete_space_takes_bools(walk, action):
    np.testing.assert_allclose(_moved(walk, action), 0, atol=0.5)


@pytest.mark.parametrize("id", ["Pendulum-v1", "CartPole-v1"])
def test_what_gymnasiums_own_environments_take_ours_takes(id):
    box = [np.array([0.5], np.float32), np.array([2.5]), np.array([1]), [0.5], jnp.array([0.5])]
    discrete = [1, np.int64(1), np.array(1), np.uint8(1), True]
    theirs, ours = gymnasium.make(id), edgerl.to_gymnasium(edgerl.from_gymnax(id))
    for action in box if id == "Pendulum-v1" else discrete:
        for env in (theirs, ours):
            env.reset(seed=0)
            assert np.isfinite(env.step(action)[1])


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (np.array([np.nan], np.float32), r"not in Box\(-2.0, 2.0, \(1,\), float32\): it is not a number \(NaN\)"),
        (0.5, r"it is float64\[\], not float32\[1\]"),
        (np.zeros(2), r"it is float64\[2\], not float32\[1\]"),
        (np.array([1j]), "it is complex128"),
        (["left"], "the action"),
        (None, "the action None is not in"),
        ([[0.5], [0.5, 0.5]], "the action"),
    ],
)
def test_what_is_no_action_of_a_box_is_one_line(push, action, why):
    push.reset(seed=0)
    with pytest.raises(UserError, match=f"^step: .*{why}"):
        push.step(action)


@pytest.mark.parametrize("action", [3, -1, 1.0, np.float32(1), np.array([1]), [1], "1", None, np.array(2**40)])
def test_what_is_no_action_of_a_discrete_space_is_one_line(walk, action):
    walk.reset(seed=0)
    with pytest.raises(UserError, match=r"^step: the action .* is not in Discrete\(3\)"):
        walk.step(action)


def test_vector_environments_take_them_too():
    env = edgerl.to_gymnasium(Push(), num_envs=2)
    for action in (np.ones((2, 1)), np.ones((2, 1), int), jnp.ones((2, 1)), [[1.0], [1.0]]):
        np.testing.assert_allclose(_moved(env, action), 1, atol=0.5)
    np.testing.assert_allclose(_moved(env, [[9.0], [-9.0]]), [9, -9], atol=0.5)
    for action in (np.ones(2), 1.0, np.array([[0.5], [np.nan]])):
        with pytest.raises(UserError, match="step: the action"):
            env.step(action)
    env = edgerl.to_gymnasium(Walk(), num_envs=2)
    for action in (np.array([2, 0]), np.array([2, 0], np.int16), jnp.array([2, 0]), [2, 0], (2, 0)):
        np.testing.assert_allclose(_moved(env, action), [1, -1], atol=0.5)
    for action in (np.array([[2], [0]]), np.array([2.0, 0.0]), [2, 3], [-1, 0], 1):
        with pytest.raises(UserError, match="is not in MultiDiscrete"):
            env.step(action)
