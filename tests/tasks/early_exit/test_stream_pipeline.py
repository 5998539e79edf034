"""exit-stream on the whole way: train, evaluate, draw, export, verify, simulate."""

import json
import subprocess
from pathlib import Path

import pytest

import edgerl
from edgerl.cli.commands import main
from edgerl.tasks.early_exit.stream import task as stream_task

EXAMPLE = Path(__file__).parents[3] / "examples" / "stream_loop.c"
QUICK = ("num_seeds=1", "evaluation_envs=4", "evaluation_steps=200", "ppo.num_updates=2", "ppo.num_envs=32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    run = tmp_path_factory.mktemp("stream") / "run"
    task = stream_task.TASK
    task.train(task.settings(None, QUICK), run)
    return run


@pytest.fixture(scope="module")
def exported(folder):
    out = folder.parent / "c"
    edgerl.open_run(folder).export(out, name="stream", episodes=8)
    return out


@pytest.mark.long
def test_it_is_evaluated_beside_fixed_exits(folder, monkeypatch):
    monkeypatch.setattr(stream_task, "LANES", 8)
    monkeypatch.setattr(stream_task, "SECONDS", 3000.0)
    monkeypatch.setattr(stream_task, "BURN_S", 100.0)
    run = edgerl.open_run(folder)
    found = run.evaluate()
    assert [name for name in found if name.startswith("exit ")] == [f"exit {k}" for k in (1, 2, 3, 4)]
    assert found["int8_less_float32"]["low"] <= found["int8_less_float32"]["mean"]
    assert [row[0] for row in run.task.table(found)][-2:] == ["policy_float32", "policy_int8"]
    assert json.loads((folder / "judgement.json").read_text()) == found


@pytest.mark.long
def test_its_pictures_are_drawn(folder):
    drawn = edgerl.open_run(folder).figures()
    assert [path.name for path in drawn] == ["learning_curve.png", "day.png"]
    with pytest.raises(edgerl.UserError, match="--data: the figures of exit-stream need no data"):
        edgerl.open_run(folder).figures(data="somewhere")


@pytest.mark.long
def test_its_export_is_verified_and_plays(exported, folder, capsys):
    assert edgerl.verify(exported, targets=["host C"])["passed"]
    assert main(["simulate", "ExitStream-v0", "--policy", str(exported), "--envs", "8", "--steps", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 160


@pytest.mark.long
def test_the_example_loop_loses_count_of_no_frame(exported, tmp_path):
    sources = [EXAMPLE, exported / "stream.c", exported / "stream_stream.c"]
    strict = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *strict, f"-I{exported}", *sources, "-o", tmp_path / "loop"], check=True)
    done = subprocess.run([tmp_path / "loop", "20000"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("frames 20000 answered ")


@pytest.mark.long
def test_a_policy_for_many_conditions_has_no_queue_in_c(tmp_path):
    task = stream_task.TASK
    task.train(task.settings(None, [*QUICK, "draw=true"]), tmp_path / "run")
    report = edgerl.open_run(tmp_path / "run").export(tmp_path / "c", episodes=4)
    assert report["extra"] == {}
    assert not list((tmp_path / "c").glob("*_stream.*"))
