"""`sim`: its result's layout with dummies, and that the real contestants do the same work."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import conftest
import peers
import pytest
import report
import rounds
import scaling
import sim

PATH = {"PYTHONPATH": str(conftest.BENCHMARKS / "contestants")}
DUMMY = str(Path(__file__).with_name("dummy.py"))


def entrants(workload):
    settings = tuple({"num_envs": n, "guess": 1e4} for n in (2, 8, 4))
    return [
        rounds.Contestant("edgerl", DUMMY, settings, None, PATH),
        rounds.Contestant("gymnax", DUMMY, settings, None, PATH),
        rounds.Contestant("gymnax sharded", DUMMY, ({"refuse": True, "num_envs": 1, "guess": 1.0},), None, PATH),
    ]


@pytest.fixture
def result(monkeypatch):
    monkeypatch.setattr(sim, "contestants", entrants)
    monkeypatch.setattr(sim, "WORKLOADS", (sim.CARTPOLE, sim.EARLY_EXIT, sim.EARLY_EXIT_NETWORK))
    monkeypatch.setattr(scaling, "NUM_ENVS", (2, 4, 8))
    monkeypatch.setattr(scaling, "SECONDS", 1e-3)
    return json.loads(json.dumps(sim.run(offline=True, figure=True), allow_nan=False))


def test_layout_of_the_result(result):
    assert list(result) == ["benchmark", "date", "machine", "contestants", "ratios", "scaling", "goals"]
    assert {"cpu", "cores", "load_before", "load_after", "versions"} <= set(result["machine"])
    ours = result["contestants"]["CartPole-v1 random: edgerl"]
    assert {"settings", "compile_s", "search", "repeats", "median"} <= set(ours)
    assert len(ours["repeats"]) == sim.REPEATS
    assert len(ours["search"]) == 3
    assert "failed" in result["contestants"]["CartPole-v1 random: gymnax sharded"]
    assert result["ratios"]["CartPole-v1 random: edgerl / gymnax sharded"] is None
    goals = result["goals"]
    assert goals["CartPole-v1 random, times gymnax's jitted scan"]["met"] in (True, False)
    assert goals["CartPole-v1 random, times Gymnasium's vector environment"]["met"] is None
    assert set(result["scaling"]) == {f"{name}: edgerl" for name in ("CartPole-v1 random", "EarlyExit-v0 random")} | {
        "CartPole-v1 random: gymnax"
    }
    swept = result["scaling"]["CartPole-v1 random: edgerl"]
    assert list(swept["steps_per_s"]) == ["2", "4", "8"]
    assert [len(speeds) for speeds in swept["repeats"].values()] == [2 * scaling.REPEATS] * 3
    assert sum("largest deviation from the median" in title for title in goals) == 2


def test_table_and_figure(result, capsys, tmp_path):
    report.show(result, False, sim.rows(result), sim.HEADER)
    shown = capsys.readouterr().out
    assert "failed: ValueError: cannot do that" in shown
    assert "not measured" in shown
    sim.draw(result, tmp_path / "sim.png")
    assert (tmp_path / "sim.png").stat().st_size > 1000


def test_fastest_candidate_is_chosen_and_fills_a_repeat():
    speeds = {2: 10.0, 8: 80.0, 4: 40.0}

    class Worker:
        def prepare(self, settings):
            self.num_envs = settings["num_envs"]
            return {"compile_s": 0.0}

        def run(self):
            return {"steps": speeds[self.num_envs], "seconds": 1.0}

    settings, tried = sim.choose(Worker(), entrants(None)[0])
    assert settings["num_envs"] == 8
    assert settings["num_steps"] == round(80 * sim.SECONDS / 8)
    assert [trial["steps_per_s"] for trial in tried] == [10.0, 80.0, 40.0]


@pytest.mark.long
def test_contestants_play_the_same_game():
    """Random actions: the same mean length of an episode, whoever simulates."""
    sizes = {"num_envs": 256, "num_steps": 2000}
    lengths = {}
    for contestant in sim.contestants(sim.CARTPOLE):
        if contestant.name in ("edgerl", "gymnax", "gymnasium", sim.LIMIT):
            settings = {k: v for k, v in contestant.candidates[0].items() if k != "guess"} | sizes
            with rounds.started(contestant, offline=True) as worker:
                try:
                    worker.prepare(settings)
                except peers.PeerAbsentError:  # no C compiler
                    assert contestant.name == sim.LIMIT
                    continue
                done = worker.run()
            if contestant.name == sim.LIMIT:
                lengths["limit's own"] = done["lengths"]["mean"]
                assert 8 <= done["lengths"]["min"] < 20 < 100 < done["lengths"]["max"] <= 500
                assert done["lengths"]["std"] == pytest.approx(11.8, rel=0.1)
            # Gymnasium spends a call on each reset.
            steps = done["steps"] - (done["episodes"] if contestant.name == "gymnasium" else 0)
            lengths[contestant.name] = steps / done["episodes"]
    assert len(lengths) == (5 if shutil.which("gcc") or shutil.which("clang") else 3)
    assert lengths == {name: pytest.approx(lengths["gymnasium"], rel=0.03) for name in lengths}


@pytest.mark.long
def test_contestants_remember_the_same():
    """One policy with memory: the same mean length of an episode from random starts."""
    sizes, lengths = {"num_envs": 256, "num_steps": 1000}, []
    for contestant in sim.contestants(sim.MEMORY):
        settings = {k: v for k, v in contestant.candidates[0].items() if k != "guess"} | sizes
        with rounds.started(contestant, offline=True) as worker:
            worker.prepare(settings)
            done = worker.run()
        lengths.append(done["steps"] / done["episodes"])
    assert len(lengths) in (2, 3)
    assert lengths == [pytest.approx(lengths[0], rel=0.03)] * len(lengths)


def test_one_environment_can_be_chosen(monkeypatch):
    monkeypatch.setattr(sim, "contestants", entrants)
    found = sim.run(True, False, [sim.MEMORY.env])
    assert {name.partition(":")[0] for name in found["contestants"]} == {sim.MEMORY.name}
    assert found["goals"]["PositionOnlyCartPole-v1 GRU-16, steps/s"]["measured"] > 0
    assert found["goals"]["EarlyExit-v0 random, episodes/min"]["met"] is None


def test_flatness_by_hand():
    """Times per step 1, 2, 4: the median is 2, and 4 is twice that."""
    assert scaling.deviation([1.0, 0.5, 0.25]) == pytest.approx(1.0)
    assert scaling.deviation([5.0, 5.0, 5.0]) == 0.0


@pytest.mark.parametrize("script", ["sim", "ppo", "deploy", "peers", "stream", "vit"])
def test_help_has_an_example_and_works_from_anywhere(script, tmp_path):
    command = [sys.executable, str(conftest.BENCHMARKS / f"{script}.py"), "--help"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert f"example: python benchmarks/{script}.py" in shown


PROGRAMS = sorted(path.stem for path in conftest.BENCHMARKS.glob("*.py") if "__main__" in path.read_text())


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_benchmark_that_is_asked_for_help_only_helps(program, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{program}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(conftest.BENCHMARKS / f"{program}.py"), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")
