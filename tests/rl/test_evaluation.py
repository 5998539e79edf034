"""Whole episodes: each environment counts once, however short its episode is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.policy import MLPPolicy
from edgerl.envs.spaces import Box, Discrete
from edgerl.rl.evaluation import play_episodes, summary


@struct.dataclass
class TwoLengths:
    """No parameters."""


@dataclasses.dataclass(frozen=True)
class Coin:
    """Half of the episodes last one step, half ten; each step is rewarded with 2."""

    id: str = "Coin-v0"
    default_params: TwoLengths = dataclasses.field(default_factory=TwoLengths)

    def observation_space(self, params=None):
        return Box(0.0, 1.0, (1,))

    def action_space(self, params=None):
        return Discrete(2)

    def reset(self, key, params=None):
        left = jnp.where(jax.random.bernoulli(key), 10, 1)
        return jnp.zeros(1), left

    def step(self, key, state, action, params=None):
        return jnp.zeros(1), state - 1, jnp.float32(2), state == 1, jnp.asarray(False), {}


POLICY = MLPPolicy((np.zeros((1, 2), np.float32),), (np.zeros(2, np.float32),), "tanh")


def play(num_envs, most_steps):
    return play_episodes(Coin(), POLICY, jax.random.key(0), TwoLengths(), num_envs, most_steps)


def test_each_environment_counts_once():
    episodes = play(2000, 100)
    lengths = np.asarray(episodes.lengths)
    assert set(lengths) == {1, 10}
    assert abs((lengths == 1).mean() - 0.5) < 0.05  # counting all that end in 100 steps it would be 10 / 11
    np.testing.assert_array_equal(episodes.returns, 2 * lengths)


def test_an_episode_is_cut_at_the_most_steps():
    assert set(np.asarray(play(200, 4).lengths)) == {1, 4}


def test_the_summary_is_of_plain_numbers():
    said = summary(play(50, 100))
    assert said["episodes"] == 50
    assert (said["lengths"]["min"], said["lengths"]["max"], said["returns"]["max"]) == (1.0, 10.0, 20.0)
    assert type(said["returns"]["mean"]) is float
