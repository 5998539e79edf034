"""The measured figures of the documentation: one a cell, and how a benchmark's JSON becomes rows."""

import json
import re

import documents
import pytest
from documentation import record, results

MACHINE = {"cpu": "A processor", "cores": 2, "load_before": [0.1, 0.2, 0.3]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "simulator.json").write_text((results.FOLDER / "simulator.json").read_text())
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    return tmp_path


def test_results_have_one_figure_a_cell():
    for name in results.names():
        for row in results.load(name)["rows"]:
            figures = row[1:] if isinstance(row, list) else [row["figure"]]
            assert not [figure for figure in figures if re.search(r"[·;]|\d, \d", figure)], row


def test_a_row_of_results_that_lacks_its_date_is_refused(folder):
    (folder / "bad.json").write_text('{"rows": [{"what": "a", "figure": "1", "command": "b", "machine": "c"}]}')
    with pytest.raises(ValueError, match=r"bad\.json: a row has the keys"):
        results.table("bad")


def test_the_readmes_figures_are_those_of_the_results():
    readme = (documents.ROOT / "README.md").read_text()
    shown = re.findall(r"^\| (.+) \| (.+) \| `(.+)` \|$", readme, re.M)
    rows = [row for name in results.names() for row in results.load(name)["rows"] if isinstance(row, dict)]
    assert len(shown) == 6
    assert set(shown) <= {(row["what"], row["figure"], row["command"]) for row in rows}


def test_a_benchmarks_figures_replace_those_of_their_rows(folder):
    bench = {
        "benchmark": "sim",
        "date": "2026-11-29T10:11:12+00:00",
        "machine": MACHINE,
        "contestants": {"CartPole-v1 random: edgerl": {"median": {"steps_per_s": 1.2345e9}}},
        "ratios": {
            "CartPole-v1 random: edgerl / envpool": {"of_medians": 1310.4, "low": 1200.0, "high": 1400.0},
            "CartPole-v1 random: edgerl / limit (C)": {"of_medians": 0.353, "low": 0.27, "high": 0.5},
            "CartPole-v1 random: edgerl / gymnax": None,
        },
    }
    before = {row["what"]: row for row in results.load("simulator")["rows"]}
    assert record.record(bench) == 3
    after = {row["what"]: row for row in results.load("simulator")["rows"]}
    more = {
        "command": "edgerl bench sim",
        "date": "2026-11-29",
        "machine": "2 cores of A processor, load 0.1 before",
    }
    speed, pool, share = (
        f"CartPole-v1, random play: {what}"
        for what in ("steps a second", "times EnvPool", "share of a C program's speed")
    )
    assert after[speed] == {"what": speed, "figure": "1.23 billion", **more}
    assert after[pool] == {"what": pool, "figure": "1,310", "range": "1,200 to 1,400 in single rounds", **more}
    assert after[share] == {"what": share, "figure": "35.3 %", "range": "27 to 50 % in single rounds", **more}
    assert [what for what in after if after[what] != before[what]] == [speed, pool, share]


def test_every_row_that_a_benchmark_can_fill_is_there():
    rows = {row["what"] for row in results.load("simulator")["rows"]}
    assert {what for what, _ in record._SPEEDS.values()} | set(record._RATIOS.values()) <= rows


def test_another_benchmark_is_refused(folder):
    with pytest.raises(ValueError, match="edgerl bench sim --json"):
        record.record({"benchmark": "ppo"})
    assert json.loads((folder / "simulator.json").read_text())
