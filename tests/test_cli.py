"""The command line: its help, its exit statuses, and one clear line for each kind of wrong input."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from edgerl import cli


def run(*arguments, cwd=None):
    command = [sys.executable, "-m", "edgerl.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def refused(capsys, *arguments):
    """The single line on standard error of a command that must end with status 2."""
    try:
        status = cli.main([str(a) for a in arguments])
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.endswith("\n")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize("command", ["", *cli._COMMANDS])
def test_help_ends_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*([command] if command else []), "--help"])
    assert stop.value.code == 0
    help = capsys.readouterr().out
    assert f"edgerl {command}".strip() in help.split("example:")[1]


def test_unknown_system_names_the_known_ones(capsys, tmp_path):
    line = refused(capsys, "train", "cartpool", "--out", tmp_path / "run")
    assert "cartpool" in line
    assert "early-exit" in line


def test_unknown_environment(capsys):
    assert "CartPole-v1" in refused(capsys, "simulate", "CartPole-v7")


@pytest.mark.parametrize("option", [("--envs", "0"), ("--steps", "-3"), ("--envs", "many")])
def test_numbers_of_environments_and_steps(capsys, option):
    assert option[1] in refused(capsys, "simulate", "CartPole-v1", *option)


@pytest.mark.parametrize("command", ["evaluate", "figures"])
def test_a_folder_that_is_no_run(capsys, tmp_path, command):
    line = refused(capsys, command, tmp_path)
    assert "run.json" in line
    assert str(tmp_path) in line


def test_a_policy_that_is_no_run(capsys, tmp_path):
    assert "policy.npz" in refused(capsys, "simulate", "CartPole-v1", "--policy", tmp_path)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("learning=1", "unknown key 'learning'"),
        ("seed=soon", "seed"),
        ("seed", "key=value"),
        ("ppo.discount=2", "discount"),
        ("ppo.learning_rate=[1]", "learning_rate"),
    ],
)
def test_configuration_mistakes_name_the_key(capsys, tmp_path, override, named):
    line = refused(capsys, "train", "cartpole", "--set", override, "--out", tmp_path / "run")
    assert named in line
    assert not (tmp_path / "run").exists()


def test_configuration_file_that_is_not_there(capsys, tmp_path):
    line = refused(capsys, "train", "cartpole", "--config", tmp_path / "no.yaml", "--out", tmp_path / "run")
    assert "no.yaml" in line


def test_training_into_a_folder_of_something_else(capsys, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    line = refused(capsys, "train", "cartpole", "--out", tmp_path)
    assert str(tmp_path) in line
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_training_below_a_file(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in refused(capsys, "train", "cartpole", "--out", tmp_path / "file" / "run")


def test_json_is_one_object_and_nothing_else():
    done = run("simulate", "CartPole-v1", "--envs", 64, "--steps", 50, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["steps"] == 3200


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m edgerl.cli simulate CartPole-v1 --envs 8 --steps 8 | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_told(unbuffered):
    command = f"{sys.executable} -m edgerl.cli simulate CartPole-v1 --envs 8 --steps 8 > /dev/full"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr == "edgerl simulate: No space left on device: standard output\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two updates and its export: the commands work, the policy need not."""
    folder = tmp_path_factory.mktemp("cli")
    small = ("num_seeds=1", "ppo.num_updates=2", "ppo.hidden_sizes=[8]", "evaluation_envs=16")
    sets = [word for item in small for word in ("--set", item)]
    done = run("train", "cartpole", *sets, "--out", folder / "run")
    assert done.returncode == 0, done.stderr
    done = run("export", folder / "run", "--out", folder / "export", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["closed_loop"]["episodes"] >= 10_000
    return folder


def test_the_whole_way(trained):
    done = run("verify", trained / "export", "--json")
    assert done.returncode == 0, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["TFLM"]["differences"] == checks["host C"]["differences"] == 0


def test_verify_fails_where_the_code_was_changed(trained, tmp_path):
    shutil.copytree(trained / "export", tmp_path / "changed")
    source = tmp_path / "changed" / "policy.c"
    source.write_text(source.read_text().replace("128", "127"))
    done = run("verify", tmp_path / "changed", "--json")
    assert done.returncode == 1
    assert not json.loads(done.stdout)["passed"]


def test_a_finished_run_is_not_overwritten(trained, capsys):
    assert "finished" in refused(capsys, "train", "cartpole", "--out", trained / "run")


def test_an_export_is_not_overwritten(trained, capsys):
    assert "exists" in refused(capsys, "export", trained / "run", "--out", trained / "export")


@pytest.mark.parametrize("folder", ["run", "export"])
def test_simulating_a_policy(trained, folder):
    done = run("simulate", "CartPole-v1", "--policy", trained / folder, "--envs", 64, "--steps", 100, "--json")
    assert json.loads(done.stdout)["episodes"] > 0
