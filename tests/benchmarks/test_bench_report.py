"""Medians, ratios, goals and the table, by hand."""

import pytest
import report
import sim


def test_ratio_of_medians_and_of_rounds():
    ours = {"repeats": [{"x": 10.0}, {"x": 30.0}, {"x": 20.0}]}
    theirs = {"repeats": [{"x": 5.0}, {"x": 2.0}, {"x": 4.0}]}
    found = report.ratio(ours, theirs, lambda repeat: repeat["x"])
    assert found == {"of_medians": 5.0, "rounds": [2.0, 15.0, 5.0], "low": 2.0, "high": 15.0}


def test_ratio_with_someone_absent_is_none():
    assert report.ratio({"repeats": [{"x": 1.0}]}, {"absent": "why"}, lambda repeat: repeat["x"]) is None


@pytest.mark.parametrize(
    ("measured", "at_most", "met"), [(25.0, False, True), (24.9, False, False), (None, False, None), (0.3, True, False)]
)
def test_goal(measured, at_most, met):
    assert report.goal(0.25 if at_most else 25, measured, at_most)["met"] is met


def test_medians_of_a_simulation():
    repeats = [{"steps": 100, "episodes": e, "seconds": s, "cpu_seconds": 2 * s} for e, s in [(6, 1), (4, 2), (8, 4)]]
    result = {"repeats": repeats}
    sim.summarise(result)
    assert result["median"] == {"steps_per_s": 50.0, "episodes_per_min": 120.0, "steps_per_cpu_s": 25.0}


def test_table_shows_why_someone_is_missing():
    text = report.table([["a", "1"], ["bc", "absent: not installed"]], ("", "steps", "episodes"))
    assert text.splitlines()[-1] == "bc  absent: not installed"


def test_machine_names_processor_and_versions():
    found = report.machine()
    assert found["cores"] >= 1
    assert found["versions"]["jax"][0].isdigit()
