"""Hull, thresholds, patience, oracle: by hand, by brute force, and within their budget."""

import itertools

import numpy as np
import pytest

from edgerl.tasks.early_exit.evaluation.baselines import (
    best_shared_threshold,
    chosen,
    first_stop,
    geometric_path,
    hull_accuracy,
    measured,
    outcome,
    search_thresholds,
    searched_path,
    shared_path,
    stop_by_oracle,
    stop_by_patience,
    stop_by_threshold,
    upper_hull,
)

COST = np.array([1.0, 2.0, 4.0])


def images(n=600, exits=3, seed=0):
    """Scores that tell something of correctness, which later exits improve."""
    rng = np.random.default_rng(seed)
    score = rng.random((n, exits))
    correct = rng.random((n, exits)) < 0.2 + 0.5 * score + 0.1 * np.arange(exits)
    return score, correct


def test_hull_by_hand():
    cost, accuracy = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([0.2, 0.5, 0.55, 0.8, 0.7])
    assert upper_hull(cost, accuracy).tolist() == [0, 1, 3]  # 2 lies below the line from 1 to 3, 4 is dominated
    np.testing.assert_allclose(hull_accuracy(cost, accuracy, np.array([0.0, 1.5, 3.0, 9.0])), [0.2, 0.35, 0.65, 0.8])


def test_hull_is_above_all_points_and_concave():
    rng = np.random.default_rng(0)
    cost, accuracy = rng.random(50), rng.random(50)
    assert (hull_accuracy(cost, accuracy, cost) >= accuracy - 1e-12).all()
    kept = upper_hull(cost, accuracy)
    slopes = np.diff(accuracy[kept]) / np.diff(cost[kept])
    assert (np.diff(slopes) < 0).all()
    assert (slopes > 0).all()


def test_exits_by_hand():
    stop = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 0]], bool)
    assert first_stop(stop).tolist() == [2, 1, 0]
    score = np.array([[0.1, 0.9, 0.0], [0.5, 0.0, 0.0]])
    assert stop_by_threshold(score, np.array([0.5, 0.9])).tolist() == [1, 0]
    correct = np.array([[0, 1, 1], [0, 0, 0]], bool)
    assert stop_by_oracle(correct).tolist() == [1, 0]
    assert outcome(correct, COST, np.array([1, 2])) == (0.5, 3.0)
    prediction = np.array([[7, 7, 7, 7], [1, 2, 2, 2], [1, 2, 1, 2]])
    assert stop_by_patience(prediction, 1).tolist() == [1, 2, 3]
    assert stop_by_patience(prediction, 2).tolist() == [2, 3, 3]


def test_searched_thresholds_against_brute_force():
    for seed in range(5):
        score, correct = images(n=40, seed=seed)
        reward = correct - 0.1 * COST
        levels = [np.concatenate([np.unique(score[:, k]), [2.0]]) for k in range(2)]
        best = max(
            chosen(reward, stop_by_threshold(score, np.array(pair))).mean() for pair in itertools.product(*levels)
        )
        found = chosen(reward, stop_by_threshold(score, search_thresholds(score, reward))).mean()
        # A coordinate search may stop at a pair that no single change betters.
        assert best - 0.03 <= found <= best + 1e-12
        assert found >= chosen(reward, stop_by_threshold(score, best_shared_threshold(score, reward))).mean()


@pytest.mark.parametrize("family", ["shared", "geometric", "searched"])
def test_rules_keep_their_budget_and_use_it(family):
    score, correct = images()
    path = {
        "shared": lambda: shared_path(score),
        "geometric": lambda: geometric_path(score),
        "searched": lambda: searched_path(score, correct, COST),
    }[family]()
    rules = measured(path, score, correct, COST)
    before = 0.0
    for budget in np.linspace(1.1, 4.0, 8):
        accuracy, spent = outcome(correct, COST, stop_by_threshold(score, rules.solve(budget)))
        assert spent <= budget + 1e-12
        # A larger budget allows what a smaller one did, but for the grain of the bisection.
        assert accuracy >= before - 0.01
        before = accuracy
    assert before >= correct[:, -1].mean()


def test_a_budget_is_spent_to_the_grain_of_single_images():
    score, correct = images()
    rules = measured(shared_path(score), score, correct, COST)
    grain = (COST[-1] - COST[0]) / len(score)
    for budget in np.linspace(1.1, COST[-1] - 0.1, 8):
        spent = outcome(correct, COST, stop_by_threshold(score, rules.spend(budget)))[1]
        assert budget - 5 * grain < spent <= budget
    for budget in (0.5, COST[-1] + 1):  # below the cheapest and above the dearest rule: none is nearest from below
        np.testing.assert_array_equal(rules.spend(budget), rules.solve(budget))


def test_the_geometric_family_stops_the_shares_that_it_names():
    score, _ = images(n=3000)
    path = geometric_path(score)
    middle = stop_by_threshold(score, path[len(path) // 2])  # q = 1: the same share at every exit
    np.testing.assert_allclose(np.bincount(middle) / 3000, [1 / 3] * 3, atol=1e-3)
    assert (stop_by_threshold(score, path[0]) == 0).mean() > 0.99
    assert (stop_by_threshold(score, path[-1]) == 2).mean() > 0.99


def test_a_budget_below_the_first_exit_takes_the_cheapest_rule():
    score, correct = images()
    thresholds = measured(shared_path(score), score, correct, COST).solve(0.5)
    assert (stop_by_threshold(score, thresholds) == 0).all()
