"""The referee and its workers, with a contestant that does nothing."""

from pathlib import Path

import conftest
import peers
import pytest
import rounds

DUMMY = str(Path(__file__).with_name("dummy.py"))
PATH = {"PYTHONPATH": str(conftest.BENCHMARKS / "contestants")}


def contestant(name, peer=None, **settings):
    return rounds.Contestant(name, DUMMY, ({"who": name, **settings},), peer, PATH)


def first_candidate(worker, contestant):
    return contestant.candidates[0], []


def test_worker_prepares_runs_and_checks():
    with rounds.started(contestant("a", num_envs=7)) as worker:
        assert worker.prepare({"num_envs": 7}) == {"compile_s": 0.5, "info": {"library": "1.0"}}
        first, second = worker.run(seed=3), worker.run(seed=4)
    assert first.pop("seconds") >= 0
    assert first.pop("cpu_seconds") >= 0
    assert first == {"steps": 7000, "episodes": 40, "seed": 3, "checked": 1}
    assert (second["seed"], second["checked"]) == (4, 2)


def test_worker_reports_an_error_in_one_line_and_lives_on():
    with rounds.started(contestant("a")) as worker:
        with pytest.raises(rounds.ContestantError, match=r"^ValueError: cannot do that$"):
            worker.prepare({"refuse": True})
        with pytest.raises(rounds.ContestantError, match="before anything was prepared"):
            worker.run()
        worker.prepare({})
        assert worker.run()["steps"] == 1000


def test_worker_that_dies_or_hangs_is_an_error():
    with rounds.started(contestant("a")) as worker:
        worker.prepare({"dies_in_run": 1})
        with pytest.raises(rounds.ContestantError, match=r"status 3\): these are my last words"):
            worker.run()
    with rounds.started(contestant("a")) as worker:
        worker.prepare({"hangs": True})
        with pytest.raises(rounds.ContestantError, match="status -9"):
            worker.run(timeout=0.2)


def test_contestants_take_turns(tmp_path):
    diary = tmp_path / "diary"
    entrants = [contestant(name, diary=str(diary)) for name in "ABC"]
    result = rounds.measure(entrants, first_candidate, [{"seed": i} for i in range(3)], lambda line: None)
    assert diary.read_text() == "ABCABCABC"
    assert [repeat["seed"] for repeat in result["B"]["repeats"]] == [0, 1, 2]
    assert result["B"]["settings"] == entrants[1].candidates[0]


def test_who_does_not_take_part_is_recorded_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGERL_PEERS", str(tmp_path))
    lines = []
    entrants = [
        contestant("works"),
        contestant("missing", peer="envpool"),
        contestant("refuses", refuse=True),
        contestant("dies", dies_in_run=2),
    ]
    monkeypatch.setattr(peers, "_satisfied_here", lambda name: False)
    result = rounds.measure(entrants, first_candidate, [{}] * 3, lines.append, offline=True)
    assert len(result["works"]["repeats"]) == 3
    assert "python benchmarks/peers.py envpool" in result["missing"]["absent"]
    assert result["refuses"] == {"failed": "ValueError: cannot do that"}
    assert "last words" in result["dies"]["failed"]
    assert "repeats" not in result["dies"]
    assert sum("envpool" in line for line in lines) == 1
    assert not list(tmp_path.iterdir())


def test_settings_of_jax_are_not_inherited(monkeypatch):
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "5")
    monkeypatch.setenv("XLA_FLAGS", "--nonsense")
    script = Path(__file__).with_name("dummy.py")
    with rounds.Worker(rounds.sys.executable, script, {**PATH, "JAX_ENABLE_X64": "0"}) as worker:
        variables = Path(f"/proc/{worker.pid}/environ").read_text()
    assert "JAX_NUM_CPU_DEVICES" not in variables
    assert "XLA_FLAGS" not in variables
    assert "JAX_ENABLE_X64=0" in variables
