"""A budget that not even the first exit keeps is told, with what would have room for it."""

import dataclasses

import numpy as np
import pytest

from edgerl import UserError
from edgerl.tasks.early_exit.goals import goal_for
from edgerl.tasks.early_exit.room import budget_note, decision_note, shares
from edgerl.tasks.early_exit.table.table import Table, load_table
from edgerl.tasks.hardware.profiles import profile_names

RESNET = np.array([152.8e6, 287.0e6, 421.3e6, 555.5e6])  # multiply-accumulates of a ResNet-18 of width 64


def table(macs=None, latency_ms=None):
    exits = len(macs if macs is not None else latency_ms)
    shape = (4, exits)
    column = np.zeros(4, np.int64)
    one = np.ones(exits, np.float32)
    return Table(np.zeros((*shape, 3), np.int8), np.ones(shape, np.float32), column, column, one, macs, latency_ms)


def test_the_shipped_table_fits_every_shipped_profile():
    shipped = load_table()
    assert [budget_note(shipped, name) for name in profile_names()] == [None] * len(profile_names())


def test_by_how_much_and_which_profile_fits():
    note = budget_note(table(RESNET), "medium_power")
    assert "profile medium_power: exit 1 alone takes 61.12 ms of a budget of 30 ms (204%)" in note
    assert note.endswith("there is room in: high_power (1 of 4 exits)")
    assert "\n" not in note
    assert budget_note(table(RESNET), "high_power") is None


def test_where_none_fits():
    note = budget_note(table(4 * RESNET), "high_power")
    assert "(244%)" in note
    assert "no shipped profile has room for it (the nearest, high_power, 244%)" in note


def test_measured_latency_counts_whatever_the_profiles_speed():
    slow = table(latency_ms=np.array([100.0, 200.0, 300.0]))
    note = budget_note(slow, "medium_power")
    assert "100 ms of a budget of 30 ms (333%)" in note
    assert "esp32 (3 of 3 exits)" in note
    both = dataclasses.replace(slow, macs=np.array([1e8, 2e8, 3e8]), latency_ms=np.array([1.0, 2.0, 3.0]))
    assert "1e+08 multiply-accumulates of a budget of 7.5e+07 (133%)" in budget_note(both, "medium_power")


def test_a_profile_of_the_users_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("macs_per_second: 1e9\n")
    assert "takes 152.8 ms of a budget of 15 ms" in budget_note(table(RESNET), str(path))
    goal = goal_for(path, max_latency_ms=100)
    assert "takes 152.8 ms of a budget of 100 ms" in budget_note(table(RESNET), str(path), goal)
    np.testing.assert_allclose(shares(table(RESNET), goal), RESNET / 1e8)
    with pytest.raises(UserError):
        budget_note(table(RESNET), "no_such_profile")


def test_a_rule_that_decides_nothing_is_told():
    assert "stops 100.0% of the images at exit 2" in decision_note(np.array([0, 1.0, 0]), "low_power")
    assert decision_note(np.array([0.5, 0.5, 0]), "low_power") is None
