"""The policy over subsets: credit of its own for every item."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.agents.online import Lesson
from edgerl.agents.subset_policy import SubsetPolicy, SubsetPolicyConfig, chessboard, scores_of, standardised

pytestmark = pytest.mark.usefixtures("quick_compile")


def test_credit_is_compared_with_the_other_chosen_items():
    made = np.asarray(standardised(jnp.array([[3.0, 1.0, 0.0, 2.0], [0.0, -1.0, 1.0, 0.0]])))
    np.testing.assert_allclose(made[0], np.array([1, -1, 0, 0]) / np.sqrt(4 / 5), rtol=1e-6)
    np.testing.assert_allclose(made[1], np.array([0, -1, 1, 0]) / np.sqrt(4 / 5), rtol=1e-6)


def test_the_board():
    np.testing.assert_array_equal(chessboard(9).reshape(3, 3), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(chessboard(16).reshape(4, 4)[:2], [[0, 1, 0, 1], [1, 0, 1, 0]])


@pytest.fixture(scope="module")
def taught():
    """An agent, its state after lessons in which item 2 and whatever has a large first feature earn credit."""
    agent = SubsetPolicy(SubsetPolicyConfig(learning_rate=3e-2), 3, 9)
    place = jnp.broadcast_to(jnp.eye(9), (16, 9, 9))

    def look(key):
        return jnp.concatenate([jax.random.normal(key, (16, 9, 1)), place], axis=-1)

    @jax.jit
    def teach(state, key):
        obs = look(key)
        credit = 0.5 * obs[..., 0] + place[..., 2]
        lesson = Lesson(None, obs, None, None, None, {"credit": credit})
        return agent.learn(key, state, None, lesson), None

    state = agent.init(jax.random.key(0), None, look(jax.random.key(1)))
    state, _ = jax.lax.scan(teach, state, jax.random.split(jax.random.key(2), 200))
    return agent, state, look(jax.random.key(3))


def test_items_that_earn_credit_are_preferred(taught):
    _, state, obs = taught
    scores = np.asarray(scores_of(state.scorer, obs))
    assert scores.mean(axis=0).argmax() == 2
    assert np.corrcoef(scores[:, :2].ravel(), np.asarray(obs[:, :2, 0]).ravel())[0, 1] > 0.9


def test_training_sees_both_colours_of_the_board(taught):
    agent, state, obs = taught
    flat = state.replace(scorer=jax.tree.map(jnp.zeros_like, state.scorer))
    quiet = SubsetPolicy(SubsetPolicyConfig(noise=0.0), 3, 9)
    drawn = np.asarray(quiet.act(jax.random.key(5), flat, obs, jnp.int32(0)))
    assert {tuple(row) for row in drawn} == {tuple(2 * chessboard(9).tolist()[i] for i in range(9)), *_white()}
    np.testing.assert_array_equal(agent.greedy(flat, obs)[0], 2 * chessboard(9))


def _white():
    return {tuple((2 * (1 - chessboard(9))).tolist())}


def test_one_network_takes_what_scores_over_the_threshold(taught):
    agent, state, obs = taught
    scores = np.asarray(agent.greedy(state, obs))
    network = agent.deployed(state, 1.25)
    np.testing.assert_array_equal(network(jax.random.key(0), obs), (scores > 1.25).astype(int))
    assert network.sizes == (10, 17, 2)
