"""The policy over subsets: credit of its own for every item."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.tasks.agent_vit.agents.online import Transition
from edgerl.tasks.agent_vit.agents.subset_policy import SubsetPolicy, SubsetPolicyConfig, centred, scores_of

pytestmark = pytest.mark.usefixtures("quick_compile")


LAYOUTS = ((0.0, 1.0) * 4 + (0.0,), (1.0, 0.0) * 4 + (1.0,))


def test_credit_is_compared_with_the_other_chosen_items():
    credit = jnp.array([[3.0, 1.0, 0.0, 2.0], [0.0, -1.0, 1.0, 0.0]])
    np.testing.assert_array_equal(centred(credit, credit != 0), [[1, -1, 0, 0], [0, -1, 1, 0]])


@pytest.fixture(scope="module")
def taught():
    """An agent, its state after lessons in which item 2 and whatever has a large first feature earn credit."""
    agent = SubsetPolicy(SubsetPolicyConfig(learning_rate=3e-2), 3, LAYOUTS)
    place = jnp.broadcast_to(jnp.eye(9), (16, 9, 9))

    def look(key):
        return jnp.concatenate([jax.random.normal(key, (16, 9, 1)), place], axis=-1)

    @jax.jit
    def teach(state, key):
        obs = look(key)
        credit = 0.5 * obs[..., 0] + place[..., 2]
        lesson = Transition(None, obs, None, None, None, {"credit": credit})
        return agent.learn(key, state, None, lesson), None

    state = agent.init(jax.random.key(0), None, look(jax.random.key(1)))
    state, _ = jax.lax.scan(teach, state, jax.random.split(jax.random.key(2), 200))
    return agent, state, look(jax.random.key(3))


def test_scores_are_the_credit_in_standard_deviations(taught):
    _, state, obs = taught
    scores = np.asarray(scores_of(state.scorer, obs))
    credit = 0.5 * np.asarray(obs[..., 0]) + np.eye(9)[2]
    credit -= credit.mean(axis=1, keepdims=True)
    error = scores - scores.mean(axis=1, keepdims=True) - credit / credit.std()
    assert np.sqrt(np.mean(error**2)) < 0.2


def test_training_draws_each_layout(taught):
    _, state, obs = taught
    flat = state.replace(scorer=jax.tree.map(jnp.zeros_like, state.scorer))
    quiet = SubsetPolicy(SubsetPolicyConfig(noise=0.0, coverage=2.0), 3, LAYOUTS)
    drawn = np.asarray(quiet.act(jax.random.key(5), flat, obs, jnp.int32(0)))
    assert {tuple(row / 2) for row in drawn} == set(LAYOUTS)
    np.testing.assert_array_equal(quiet.greedy(jax.random.key(0), flat, obs)[0] / 2, LAYOUTS[0])


def test_evidence_overrules_the_layout(taught):
    agent, state, obs = taught
    assert LAYOUTS[0][2] == 0
    assert np.asarray(agent.greedy(jax.random.key(0), state, obs)).mean(axis=0).argmax() == 2


def test_one_network_takes_what_scores_over_the_threshold(taught):
    agent, state, obs = taught
    scores = np.asarray(agent.greedy(jax.random.key(0), state, obs))
    network = agent.deployed(state, 1.25)
    np.testing.assert_array_equal(network(jax.random.key(0), obs), (scores > 1.25).astype(int))
    assert network.sizes == (10, 17, 2)
