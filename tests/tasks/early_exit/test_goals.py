"""What is asked of a board: by its profile's name, by the configuration's keys, and never by the board's own file."""

import dataclasses

import numpy as np
import pytest

from edgerl.tasks.early_exit.config import EarlyExitConfig, environment
from edgerl.tasks.early_exit.goals import Goal, goal_for
from edgerl.tasks.hardware.profiles import Profile, load_profile, profile_names


def test_every_shipped_profile_has_a_goal_of_its_own():
    others = Goal(Profile())
    for name in profile_names():
        goal = goal_for(name)
        assert goal.board == load_profile(name)
        assert dataclasses.replace(goal, board=others.board) != others


def test_a_board_of_the_users_own_is_asked_what_goes_with_none(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("macs_per_second: 3e8\n")
    board = Profile(macs_per_second=3e8)
    assert goal_for(path) == goal_for(board) == Goal(board)
    assert goal_for(path, max_latency_ms=40.0, beta=None) == Goal(board, max_latency_ms=40.0)
    assert goal_for(goal_for(path), beta=0.0) == Goal(board, beta=0.0)


@pytest.mark.parametrize("split", ["policy", "test"])
def test_keys_of_the_configuration_count_before_the_profiles_name(split):
    usual = environment(EarlyExitConfig(profile="low_power"), split).default_params
    keys = {"max_latency_ms": 30.0, "alpha": 2.0, "beta": 0.0, "gamma": 0.5}
    asked = environment(EarlyExitConfig(profile="low_power", **keys), split).default_params
    assert (usual.max_latency_ms, usual.alpha, usual.beta, usual.gamma) == (15.0, 0.7, 0.06, 0.048)
    assert (asked.max_latency_ms, asked.alpha, asked.beta, asked.gamma) == (30.0, 2.0, 0.0, 0.5)
    assert asked.max_macs == 2 * usual.max_macs
    assert asked.max_energy_mj == 2 * usual.max_energy_mj
    np.testing.assert_array_equal(asked.latency_ms, usual.latency_ms)
