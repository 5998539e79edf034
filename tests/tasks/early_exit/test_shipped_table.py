"""The table and the weights that come with the package: what they must show."""

import numpy as np
import pytest

from edgerl.tasks.early_exit.evaluation.baselines import best_shared_threshold, stop_by_threshold
from edgerl.tasks.early_exit.evaluation.evaluate import load_images
from edgerl.tasks.early_exit.table.calibration import expected_calibration_error
from edgerl.tasks.early_exit.table.features import features
from edgerl.tasks.early_exit.table.table import SHIPPED, load_table
from edgerl.tasks.early_exit.trunk.data import FIT, POLICY, TEST
from edgerl.tasks.early_exit.trunk.model import TrunkConfig, exit_macs
from edgerl.tasks.hardware.profiles import profile_names


@pytest.fixture(scope="module")
def table():
    return load_table()


def test_sizes(table):
    assert [len(table.rows(split)) for split in (FIT, POLICY, TEST)] == [40_000, 10_000, 10_000]
    assert table.logits_q.shape == (60_000, 4, 100)
    assert sum(path.stat().st_size for path in SHIPPED.parent.iterdir()) <= 30e6
    assert table.provenance["int8_bytes"] < 1_000_000
    np.testing.assert_array_equal(table.macs, exit_macs(TrunkConfig(width=16)))


def test_accuracy_and_calibration_on_the_test_images(table):
    seen = features(table, table.rows(TEST))
    accuracy = seen.correct.mean(0)
    assert (accuracy >= [0.45, 0.54, 0.60, 0.63]).all()
    np.testing.assert_allclose(accuracy, table.provenance["accuracy"]["test"], atol=0.002)  # before quantisation
    assert (expected_calibration_error(seen.probability, seen.correct) <= 0.02).all()


def test_the_network_was_not_fitted_on_the_policy_images(table):
    fit, policy, test = (features(table, table.rows(split)).correct[:, -1].mean() for split in (FIT, POLICY, TEST))
    assert fit > test + 0.05
    assert abs(policy - test) < 0.02


@pytest.mark.parametrize("profile", profile_names())
def test_no_profile_is_degenerate(table, profile):
    """At its weights a simple threshold uses at least three exits, and earns more than any fixed exit."""
    policy, test = (load_images(table, split, profile) for split in ("policy", "test"))
    best = best_shared_threshold(policy.features.probability.astype(np.float64), policy.reward)
    exits = stop_by_threshold(test.features.probability, best)
    assert (np.bincount(exits, minlength=4) / len(exits) > 0.05).sum() >= 3
    assert np.take_along_axis(test.reward, exits[:, None], 1).mean() > test.reward.mean(0).max()
