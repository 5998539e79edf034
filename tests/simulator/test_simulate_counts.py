"""Counts, means and extremes of what the simulator saw: short, endless, long and many episodes."""

import dataclasses
import math

import jax
import numpy as np
import pytest
from environments import Fixed, FixedParams, Keyed, Walk

from edgerl import simulate
from edgerl.simulator import block
from edgerl.simulator import simulate as module
from edgerl.simulator.simulate import random_policy
from edgerl.simulator.statistics import Returns, Totals, summarise

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(0)


@pytest.fixture
def optimised():
    """Code as users run it, for what takes many steps."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.mark.parametrize("terminates", [True, False])
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_episodes_of_few_steps_are_all_counted(length, terminates):
    env = Fixed(terminates=terminates)
    stats = simulate(env, random_policy(env), KEY, num_envs=130, num_steps=77, params=FixedParams(length))
    assert stats.episodes == 130 * (77 // length)
    assert stats.steps == 130 * 77
    assert dataclasses.astuple(stats.lengths) == dataclasses.astuple(stats.returns) == (length, 0.0, length, length)


def test_without_a_finished_episode_there_is_nothing_to_summarise():
    stats = simulate(Fixed(), random_policy(Fixed()), KEY, num_envs=130, num_steps=77, params=FixedParams(0))
    assert (stats.episodes, stats.steps) == (0, 130 * 77)
    assert all(math.isnan(x) for s in (stats.returns, stats.lengths) for x in dataclasses.astuple(s))
    assert stats.as_dict()["episodes"] == 0


def test_large_returns_keep_their_digits(optimised):
    """Of returns near 1e6 the spread of 0 and of 0.5 is told apart, over many episodes."""
    env = Fixed(default_params=FixedParams(10, 1e5))
    stats = simulate(env, random_policy(env), KEY, num_envs=4, num_steps=50_000)
    assert (stats.returns.mean, stats.returns.std) == (1e6, 0.0)
    assert (stats.lengths.mean, stats.lengths.std) == (10.0, 0.0)


def test_long_episodes_of_one_length_have_no_spread(optimised):
    env = Fixed(default_params=FixedParams(499))
    stats = simulate(env, random_policy(env), KEY, num_envs=2, num_steps=499 * 3000)
    assert stats.episodes == 6000
    assert dataclasses.astuple(stats.lengths) == (499.0, 0.0, 499.0, 499.0)


def test_long_runs_are_summed_in_chunks(monkeypatch):
    """With any chunk: the same episodes, and float32 sums short enough to keep their digits."""
    results = []
    for chunk in (2**18, 7, 50):
        monkeypatch.setattr(block, "CHUNK", chunk)
        module._program.cache_clear()
        results.append(simulate(Walk(), random_policy(Walk()), KEY, num_envs=300, num_steps=100))
    module._program.cache_clear()
    for other in results[1:]:
        assert (other.episodes, other.lengths.min, other.lengths.max) == (
            results[0].episodes, results[0].lengths.min, results[0].lengths.max
        )  # fmt: skip
        np.testing.assert_allclose(
            dataclasses.astuple(other.returns), dataclasses.astuple(results[0].returns), rtol=1e-6, atol=1e-6
        )
        np.testing.assert_allclose(
            dataclasses.astuple(other.lengths), dataclasses.astuple(results[0].lengths), rtol=1e-6
        )


def test_a_state_may_hold_a_random_key():
    env = Keyed()
    record = simulate(env, random_policy(env), KEY, num_envs=30, num_steps=50, trajectory=True)
    ended = np.asarray(record.trajectory.terminated | record.trajectory.truncated)
    assert record.episodes == ended.sum() > 30
    assert len(np.unique(record.trajectory.reward)) == 30 * 50


def test_counts_beyond_32_bits_are_exact():
    count = 1000
    full = 2**31 - 1
    totals = Totals(
        episodes=np.full(count, full, np.int32),
        returns=Returns(
            center=np.full(count, 2.0, np.float32),
            total=np.zeros(count, np.float32),
            squares=np.zeros(count, np.float32),
            lowest=np.full(count, 2.0, np.float32),
            highest=np.full(count, 2.0, np.float32),
        ),
        length_center=np.ones(count, np.int32),
        length_total=np.full(count, full, np.int32),
        length_squares=np.zeros(count, np.float32),
        shortest=np.ones(count, np.int32),
        longest=np.ones(count, np.int32),
    )
    episodes, returns, lengths = summarise(totals)
    assert episodes == count * full > 2**40
    assert (returns.mean, returns.std, lengths.mean, lengths.std) == (2.0, 0.0, 1.0, 0.0)


def test_lanes_are_pooled_as_one_sample():
    """Lane 0 saw the returns 1, 2 and 6; lane 1 none; lane 2 saw 10."""
    totals = Totals(
        episodes=np.array([3, 0, 1], np.int32),
        returns=Returns(
            center=np.array([1, 0, 10], np.float32),
            total=np.array([0 + 1 + 5, 0, 0], np.float32),
            squares=np.array([0 + 1 + 25, 0, 0], np.float32),
            lowest=np.array([1, np.inf, 10], np.float32),
            highest=np.array([6, -np.inf, 10], np.float32),
        ),
        length_center=np.array([1, 0, 10], np.int32),
        length_total=np.array([1 + 2 + 6, 0, 10], np.int32),
        length_squares=np.array([0 + 1 + 25, 0, 0], np.float32),
        shortest=np.array([1, 2**31 - 1, 10], np.int32),
        longest=np.array([6, 0, 10], np.int32),
    )
    episodes, returns, lengths = summarise(totals)
    values = np.array([1, 2, 6, 10])
    assert episodes == 4
    for summary in (returns, lengths):
        np.testing.assert_allclose(dataclasses.astuple(summary), [values.mean(), values.std(), 1, 10], rtol=1e-12)


@pytest.mark.parametrize(("reward", "expected"), [(2.0, (4.0, 2.0, 2.0, 6.0)), (-2.0, (-4.0, 2.0, -6.0, -2.0))])
def test_returns_of_a_constant_reward_follow_from_the_lengths(reward, expected):
    """Lengths 1 and 3."""
    totals = Totals(
        episodes=np.array([2], np.int32),
        returns=None,
        length_center=np.array([1], np.int32),
        length_total=np.array([4], np.int32),
        length_squares=np.array([4], np.float32),
        shortest=np.array([1], np.int32),
        longest=np.array([3], np.int32),
    )
    episodes, returns, lengths = summarise(totals, reward)
    assert episodes == 2
    assert dataclasses.astuple(lengths) == (2.0, 1.0, 1.0, 3.0)
    assert dataclasses.astuple(returns) == expected
