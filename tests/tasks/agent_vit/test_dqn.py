"""AgentViT's agent, against its formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.envs.policy import MLPPolicy
from edgerl.tasks.agent_vit.agents.dqn import DQNConfig, DQNState, ScoreDQN, epsilon

pytestmark = pytest.mark.usefixtures("quick_compile")


def test_epsilon_falls_as_the_table_says():
    config = DQNConfig()
    steps = np.array([0, 1000, 20_000, 200_000])
    np.testing.assert_allclose(epsilon(config, steps), 0.01 + 0.99 * np.exp(-steps / 20_000), rtol=1e-6)


def test_all_outputs_are_regressed_to_one_target():
    config = DQNConfig(eta=0.1, gamma=0.5, tau=0.25, update_every=2)
    agent = ScoreDQN(config)
    network = MLPPolicy((jnp.eye(2),), (jnp.array([1.0, -1.0]),), "relu")
    target = MLPPolicy((2 * jnp.eye(2),), (jnp.zeros(2),), "relu")
    batch = {"obs": jnp.array([[1.0, 2.0]]), "reward": jnp.array([3.0]), "next_obs": jnp.array([[1.0, 4.0]])}
    state = DQNState(network, target, agent._optimiser.init(network), None, jnp.int32(2))
    after = agent.improve(state, batch)
    # The target is 3 + 0.5 max(2, 8) = 7 for both outputs, which are 2 and 1: Adam's first step is eta, upwards.
    np.testing.assert_allclose(after.network.biases[0], [1.1, -0.9], rtol=1e-4)
    np.testing.assert_allclose(after.target.biases[0], 0.25 * np.array([1.1, -0.9]), rtol=1e-4)
    odd = agent.improve(state.replace(lessons=jnp.int32(1)), batch)
    np.testing.assert_array_equal(odd.target.biases[0], [0, 0])


@pytest.mark.parametrize(("start", "random"), [(1.0, True), (0.0, False)])
def test_actions_are_scores_or_chance(start, random):
    agent = ScoreDQN(DQNConfig(eps_start=start, eps_end=start))
    network = MLPPolicy((jnp.eye(3),), (jnp.zeros(3),), "relu")
    state = DQNState(network, network, None, None, jnp.int32(0))
    obs = jnp.array([5.0, 6.0, 7.0])
    action = agent.act(jax.random.key(0), state, obs, jnp.int32(0))
    assert bool((action == obs).all()) is not random
    assert not random or bool(((action >= 0) & (action < 1)).all())
