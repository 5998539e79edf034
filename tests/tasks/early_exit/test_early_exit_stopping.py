"""Backward induction against brute force; the bootstrap's coverage."""

import itertools

import numpy as np
import pytest

from edgerl.tasks.early_exit.evaluation.baselines import chosen, first_stop
from edgerl.tasks.early_exit.evaluation.bootstrap import interval, summary
from edgerl.tasks.early_exit.evaluation.stopping import cross_validated_knots, fit_stopping


def chain(n, seed=0, levels=3, exits=3):
    """Images whose state at an exit depends on the state before alone: observed [n, K, 1], reward [n, K]."""
    rng = np.random.default_rng(seed)
    move = rng.dirichlet(np.ones(levels), (exits, levels))
    pays = rng.random((exits, levels)) - 0.12 * np.arange(exits)[:, None]
    state = np.empty((n, exits), int)
    state[:, 0] = rng.integers(0, levels, n)
    for k in range(1, exits):
        state[:, k] = (rng.random(n)[:, None] > move[k, state[:, k - 1]].cumsum(-1)).sum(-1).clip(0, levels - 1)
    reward = pays[np.arange(exits), state] + 0.1 * rng.normal(size=(n, exits))
    return (state / (levels - 1))[..., None], reward


def brute_force(observed, reward):
    """The most that any rule earns which stops by the exit and what it sees there."""
    level = np.rint(observed[..., 0] * 2).astype(int)
    n, exits = level.shape
    best = -np.inf
    for bits in itertools.product([False, True], repeat=3 * (exits - 1)):
        table = np.array(bits).reshape(exits - 1, 3)
        stop = np.ones((n, exits), bool)
        for k in range(exits - 1):
            stop[:, k] = table[k, level[:, k]]
        best = max(best, chosen(reward, first_stop(stop)).mean())
    return best


@pytest.mark.parametrize("seed", range(6))
def test_backward_induction_against_brute_force(seed):
    observed, reward = chain(600, seed)
    rule = fit_stopping(observed, reward, knots=8)
    earned = chosen(reward, rule.exits(observed)).mean()
    assert earned == pytest.approx(brute_force(observed, reward), abs=2e-3)


def test_a_yes_or_no_feature_switches_the_rule():
    """Where the second feature is 1, the first means the opposite."""
    rng = np.random.default_rng(0)
    value, switch = rng.random(4000), rng.integers(0, 2, 4000)
    good = np.where(switch == 1, 1 - value, value)
    observed = np.stack([np.stack([value, switch], 1), np.zeros((4000, 2))], 1)
    reward = np.stack([good, np.full(4000, 0.5)], 1)
    exits = fit_stopping(observed, reward, knots=0).exits(observed)
    assert ((exits == 0) == (good > 0.5)).mean() > 0.99


def test_noise_does_not_buy_knots_a_gain():
    """What is learnt from pure noise earns, on new images, no less than stopping at once by more than chance."""
    rng = np.random.default_rng(0)
    observed, reward = rng.random((2, 2000, 2, 1)), rng.normal(size=(2, 2000, 2))
    knots = cross_validated_knots(observed[0], reward[0])
    earned = chosen(reward[1], fit_stopping(observed[0], reward[0], knots).exits(observed[1])).mean()
    assert abs(earned) < 4 / np.sqrt(2000)


def test_the_rule_is_consistent_with_whom_it_lets_through():
    """At the second exit the state means something else for the images that the first lets through."""
    rng = np.random.default_rng(0)
    hard = rng.random(8000) < 0.5
    observed = np.zeros((8000, 3, 1))
    observed[:, 0, 0] = hard  # seen at the first exit alone
    reward = np.zeros((8000, 3))
    reward[:, 0] = np.where(hard, 0.0, 1.1)
    reward[:, 1] = np.where(hard, 0.2, 1.0)
    reward[:, 2] = np.where(hard, 0.4, 0.0)  # for all images 0.2 < 0.6, for the hard ones 0.4 > 0.2
    earned = chosen(reward, fit_stopping(observed, reward, knots=1).exits(observed)).mean()
    assert earned == pytest.approx((hard * 0.4 + ~hard * 1.1).mean(), abs=1e-6)


@pytest.mark.parametrize("noise", [0, 0.3])  # two distinct values, or as many as images
def test_bootstrap_intervals_cover_the_truth(noise):
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(100):
        low, high = interval((rng.random(200) < 0.3) + noise * rng.standard_normal(200), seed)
        covered += low <= 0.3 <= high
    assert 88 <= covered <= 99


def test_few_distinct_values_are_drawn_as_many_are():
    values = np.random.default_rng(0).choice([0.0, 0.25, 1.0], (5000, 1))
    many = np.concatenate([values, np.random.default_rng(1).random((5000, 1))], axis=1)
    np.testing.assert_allclose(interval(values), np.array(interval(many))[:, :1], rtol=5e-3)


def test_summary_of_a_constant():
    assert summary(np.ones(50)) == {"mean": 1.0, "low": 1.0, "high": 1.0}
