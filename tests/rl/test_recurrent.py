"""PPO with memory: it learns what needs some, and sequences are computed as they were played."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from variants import seldom

from edgerl import GRUPolicy, RunConfig, UserError
from edgerl.envs.policy import same
from edgerl.rl import ppo
from edgerl.rl.config import PPOConfig
from edgerl.rl.evaluation import play_episodes
from edgerl.rl.losses import Minibatch
from edgerl.rl.make_networks import make_networks
from edgerl.rl.rollout import reset, rollout
from tests.helpers.recall import Recall

pytestmark = pytest.mark.usefixtures("quick_compile")  # what is compared here is which numbers come out

ENV = Recall()
CONFIG = PPOConfig(
    num_updates=60, num_envs=64, num_steps=16, num_minibatches=4, hidden_sizes=(8,), gru_size=8, discount=1.0
)


def learnt(config, seed=0):
    state, metrics = jax.jit(lambda key: ppo.train(ENV, config, key))(jax.random.key(seed))
    policy = ppo.greedy_policy(ENV, config, state)
    episodes = jax.jit(lambda: play_episodes(ENV, policy, jax.random.key(9), None, 200, 10))()
    return policy, float(episodes.returns.mean()), metrics


@pytest.mark.long
@pytest.mark.parametrize(("front", "behind"), [((), ()), ((8,), (8,))])
def test_it_remembers_what_it_was_shown(front, behind):
    policy, earned, _ = learnt(dataclasses.replace(CONFIG, encoder_sizes=front, hidden_sizes=behind))
    assert isinstance(policy, GRUPolicy)
    assert policy.sizes == (2, *front, 8, *behind, 2)
    assert earned == 1.0


@pytest.mark.long
def test_without_memory_it_can_only_guess():
    assert abs(learnt(dataclasses.replace(CONFIG, gru_size=0))[1]) < 0.3


@pytest.mark.parametrize("normalise", [True, *seldom(False)])
def test_a_sequence_is_computed_as_it_was_played(normalise):
    """With one pass over one batch the probabilities are those of play: the memory is reset where episodes ended."""
    config = dataclasses.replace(
        CONFIG, num_minibatches=1, epochs=1, num_updates=3, normalise_observations=normalise, num_steps=11
    )
    _, metrics = jax.jit(lambda key: ppo.train(ENV, config, key))(jax.random.key(1))
    np.testing.assert_allclose(metrics["approximate_kl"], 0, atol=1e-6)
    np.testing.assert_array_equal(metrics["clip_fraction"], 0)


@pytest.mark.parametrize("encoder", [(6,), *seldom(())])
def test_the_policy_answers_as_the_network_does(encoder):
    config = dataclasses.replace(CONFIG, num_updates=2, normalise_observations=True, encoder_sizes=encoder)
    state, _ = jax.jit(lambda key: ppo.train(ENV, config, key))(jax.random.key(2))
    policy = ppo.greedy_policy(ENV, config, state)
    networks = make_networks(ENV, config, None, state.statistics)
    obs = np.random.default_rng(3).normal(size=(6, 2)).astype(np.float32)
    none = jnp.zeros((6, 1))
    batch = Minibatch(
        jnp.asarray(obs.T)[..., None], *[none] * 5, ended=jnp.zeros((6, 1), bool), memory=networks.memory(1)
    )
    theirs, _, _ = networks.learnt_from(state.params, batch)
    remembered = policy.initial_state()
    for i, row in enumerate(obs):
        outputs, remembered = policy.outputs(jnp.asarray(row), remembered)
        np.testing.assert_allclose(outputs, theirs[:, i], atol=2e-6)


def test_nothing_is_remembered_of_an_episode_that_ended():
    networks = make_networks(ENV, CONFIG)
    variables = networks.init(jax.random.key(0))
    playing = reset(ENV, jax.random.key(1), None, 5, networks.memory(5))

    def act(key, obs, memory):
        return networks.act(variables, key, obs, memory)

    for steps in (4, 1, 3):  # episodes have four steps
        playing, happened, _, _ = jax.jit(
            lambda playing, steps=steps: rollout(ENV, act, playing, jax.random.key(2), None, steps)
        )(playing)
        ended = np.asarray(happened.terminated[-1])
        assert (np.asarray(playing.memory.policy)[:, ended] == 0).all()
        assert (np.asarray(playing.memory.policy)[:, ~ended] != 0).any() or ended.all()


def test_same_key_same_bits():
    config = dataclasses.replace(CONFIG, num_updates=3)
    assert same(learnt(config)[0], learnt(config)[0])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dataclasses.replace(CONFIG, num_envs=6), "num_envs = 6 cannot be divided into num_minibatches = 4"),
        (dataclasses.replace(CONFIG, gru_size=0, encoder_sizes=(8,)), "encoder_sizes are in front of a recurrent unit"),
    ],
)
def test_what_does_not_fit_is_one_line(config, message):
    with pytest.raises(UserError, match=message):
        RunConfig(ppo=config).check()
