"""The betting bound: numbers computed by hand, how often it is wrong, and that rules share one error probability."""

import math

import numpy as np
import pytest

from edgerl.tasks.early_exit.promise import bound

DELTA = 0.1
RUNS = 4000
# How often a test that is wrong with probability DELTA at most may be wrong in that many runs, but for one in 10^5.
ALLOWED = DELTA + 4.3 * math.sqrt(DELTA * (1 - DELTA) / RUNS)


def capital(losses, promise):
    losses = np.asarray(losses)
    return np.exp(bound.log_capital(bound.count(losses), losses.shape[-1], promise, DELTA))


def test_the_parts():
    assert np.bincount(bound.part_of(1600)).tolist() == [100, 100, 200, 400, 800]
    assert np.bincount(bound.part_of(16)).tolist() == [1, 1, 2, 4, 8]
    assert bound.part_of(1).tolist() == [0]


def test_counts():
    losses = np.zeros((2, 16), int)
    losses[0, [0, 1, 2, 3, 15]] = [1, -1, 1, 1, -1]
    assert bound.count(losses)[:, :, 0].tolist() == [[1, 0, 2, 0, 0], [0, 1, 0, 0, 1]]
    assert not bound.count(losses)[:, :, 1].any()


def test_bets_at_their_limit_by_hand():
    """16 images: one would bet more than .75 / (1 - .1), so a loss of 0 multiplies by 1 + .75 / .9 * .1."""
    none, first, gain = np.zeros(16), np.eye(16)[0], -np.eye(16)[15]
    np.testing.assert_allclose(capital(none, 0.1), (1 + 0.75 / 9) ** 16, rtol=1e-12)
    np.testing.assert_allclose(capital(first, 0.1), 0.25 * (1 + 0.75 / 9) ** 15, rtol=1e-12)
    np.testing.assert_allclose(capital(gain, 0.1), (1 + 0.75 / 0.9 * 1.1) * (1 + 0.75 / 9) ** 15, rtol=1e-12)


def test_bets_below_their_limit_by_hand():
    """1,600 images, of the first 100 20 with loss 1 and 4 with -1. The bet is sqrt(2 ln 10 / (1600 v)); v is .05, then
    (.5 + 24 - 16^2 / 100) / 110 = .199455, (.5 + 24 - 16^2 / 200) / 210 = .110571, .0581951 and .0298519."""
    losses = np.zeros(1600)
    losses[:20], losses[20:24] = 1, -1
    bets = 0.239926, 0.120127, 0.161340, 0.222392, 0.310511
    expected = (1 - 0.9 * bets[0]) ** 20 * (1 + 1.1 * bets[0]) ** 4 * (1 + 0.1 * bets[0]) ** 76
    for bet, images in zip(bets[1:], (100, 200, 400, 800), strict=True):
        expected *= (1 + 0.1 * bet) ** images
    np.testing.assert_allclose(capital(losses, 0.1), expected, rtol=2e-4)


def test_the_p_value_is_one_over_the_capital_and_no_more_than_one():
    losses = np.array([np.zeros(16), np.ones(16)])
    p = bound.p_value(bound.count(losses), 16, 0.1, DELTA)
    np.testing.assert_allclose(p, [1 / capital(losses, 0.1)[0], 1], rtol=1e-12)


def draws(kind, mean, images, seed):
    """Losses int [RUNS, images] of a mean."""
    chances = {"Bernoulli": (mean, 0.0), "exits": (0.05 + mean, 0.05), "symmetric": (0.45 + mean / 2, 0.45 - mean / 2)}
    up, down = chances[kind]
    return np.random.default_rng(seed).choice([1, -1, 0], p=[up, down, 1 - up - down], size=(RUNS, images))


def wrong(losses, promise):
    return bound.passes(bound.count(losses), losses.shape[1], promise, DELTA).mean()


@pytest.mark.parametrize("kind", ["Bernoulli", "exits", "symmetric"])
@pytest.mark.parametrize(("mean", "images"), [(0.02, 600), (0.1, 600), (0.1, 40)])
def test_a_mean_that_is_just_too_large_passes_seldom(kind, mean, images):
    assert wrong(draws(kind, mean, images, seed=1), mean - 1e-9) <= ALLOWED


def test_the_simulation_sees_a_test_that_is_wrong_too_often():
    """The same without a bound: whether the mean of what was drawn is small enough."""
    losses = draws("exits", 0.02, 600, seed=1)
    assert (losses.mean(1) <= 0.02).mean() > 4 * ALLOWED


def test_a_mean_that_is_small_enough_passes_often():
    assert wrong(draws("exits", 0.01, 2000, seed=2), 0.04) > 0.9


@pytest.mark.parametrize("kind", ["Bernoulli", "exits"])
def test_the_upper_bound_covers_the_mean(kind):
    covered = [bound.upper_bound(losses, DELTA) >= 0.05 for losses in draws(kind, 0.05, 300, seed=3)[:400]]
    assert 1 - np.mean(covered) <= DELTA + 4.3 * math.sqrt(DELTA * (1 - DELTA) / 400)
    losses = draws("exits", 0.0, 4000, seed=4)[0]
    tight = bound.upper_bound(losses, DELTA)
    assert losses.mean() < tight < losses.mean() + 0.02
    assert bound.passes(bound.count(losses), 4000, tight, DELTA)
    assert not bound.passes(bound.count(losses), 4000, tight - 1e-6, DELTA)


def test_rules_are_passed_in_a_row_and_none_after_the_first_that_fails():
    good, bad = np.zeros((1, 4000)), np.ones((1, 4000))
    assert bound.passing([np.concatenate([good, good, good]), np.concatenate([good, bad, good]), good], 0.01, 0.1) == 4
    assert bound.passing([bad, good], 0.01, 0.1) == 0
    assert bound.passing([good, good], 0.01, 0.1) == 2


@pytest.mark.parametrize(("promise", "delta"), [(0.005, 0.1), (0.01, 0.1), (0.02, 0.01), (0.5, 0.5)])
def test_the_fewest_images(promise, delta):
    fewest, none = bound.fewest_images(promise, delta), np.zeros((2, 5))
    assert bound.passes(none, fewest, promise, delta)
    assert fewest == 1 or not bound.passes(none, fewest - 1, promise, delta)


def test_many_rules_share_one_error_probability():
    """Calibrations of 30 correlated rules, of which those from the 10th on lose too much: how often one passes."""
    rng, promise, mistakes = np.random.default_rng(5), 0.05, 0
    for _ in range(RUNS):
        losses = rng.random(400) < np.linspace(0.0, 0.15, 31)[1:, None]  # rule k, from 1, loses .005 k
        mistakes += bound.passing([losses.astype(np.int8)], promise - 1e-9, DELTA) >= 10
    assert mistakes / RUNS <= ALLOWED
