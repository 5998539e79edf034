"""The command line: its help, its exit statuses, and one clear line for each kind of wrong input."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from edgerl import cli


def run(*arguments, cwd=None, **variables):
    command = [sys.executable, "-m", "edgerl.cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, check=False, env={**os.environ, **variables}
    )


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


COMMANDS = (
    "",
    "train",
    "config",
    "envs",
    "evaluate",
    "figures",
    "certify",
    "export",
    "verify",
    "serial",
    "demo",
    "simulate",
    "bench",
    "logits",
)


@pytest.mark.parametrize("command", COMMANDS)
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


SEEDS = ["99999999999999999999", "-1", "4294967296", "1.5", "soon"]


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds(capsys, tmp_path, seed):
    assert f"'{seed}' is not a whole number from 0 to" in refused(capsys, "simulate", "CartPole-v1", "--seed", seed)
    line = refused(capsys, "train", "cartpole", "--set", f"seed={seed}", "--out", tmp_path / "run")
    assert "seed" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("platform", ["cuda", "cpuu", "cpu,tpux"])
def test_a_platform_that_is_not_there(platform):
    done = run("simulate", "CartPole-v1", JAX_PLATFORMS=platform)
    assert done.returncode == 2
    assert done.stderr.startswith(f"edgerl simulate: JAX does not start with JAX_PLATFORMS={platform}: ")
    assert done.stderr.count("\n") == 1


def test_a_variable_of_jax_that_it_cannot_read():
    done = run("evaluate", "nowhere", JAX_ENABLE_X64="perhaps")
    assert done.returncode == 2
    assert done.stderr.startswith("edgerl evaluate: JAX does not start with JAX_ENABLE_X64=perhaps: ")


@pytest.mark.parametrize(
    "override",
    [
        "num_seeds=1000000000",
        "ppo.num_envs=1000000000",
        "ppo.hidden_sizes=[1000000, 1000000]",
        "evaluation_envs=2000000000",
    ],
)
def test_a_training_that_takes_too_much_memory_says_how_much(capsys, tmp_path, override):
    line = refused(capsys, "train", "cartpole", "--set", override, "--out", tmp_path / "run")
    assert "B of memory needed, " in line
    assert not (tmp_path / "run").exists()


def test_a_simulation_that_takes_too_much_says_how_much(capsys):
    assert "GB of memory needed" in refused(capsys, "simulate", "CartPole-v1", "--envs", 2_000_000_000)
    line = refused(capsys, "simulate", "CartPole-v1", "--envs", 10_000, "--steps", 2_000_000_000)
    assert re.search(r"take about [0-9.]+ (hours|days|years) here: fewer --envs or --steps", line)


def test_no_finished_episode(capsys):
    arguments = ["simulate", "CartPole-v1", "--envs", "4", "--steps", "2"]
    assert cli.main([*arguments, "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert found["episodes"] == 0
    assert found["returns"] == dict.fromkeys(("mean", "std", "min", "max"))
    assert captured.err == ""
    assert cli.main(arguments) == 0
    assert "no episode finished within 2 steps" in capsys.readouterr().out


def test_standard_streams_that_are_closed():
    command = f"{sys.executable} -m edgerl.cli simulate CartPole-v1 --envs 0"
    closed = subprocess.run(["bash", "-c", f"{command} >&-"], stderr=subprocess.PIPE, text=True, check=False)
    assert (closed.returncode, closed.stderr.count("\n")) == (2, 1)
    closed = subprocess.run(["bash", "-c", f"{command} 2>&-"], stdout=subprocess.PIPE, text=True, check=False)
    assert (closed.returncode, closed.stdout) == (2, "")


def test_ctrl_c_is_one_line():
    command = [sys.executable, "-m", "edgerl.cli", "simulate", "CartPole-v1", "--envs", "1000000", "--steps", "10000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert error == "edgerl simulate: interrupted\n"


def test_a_disk_that_fills_up_while_training(tmp_path):
    """By a limit on the size of files, which every write then meets."""
    command = f"ulimit -f 4; exec {sys.executable} -m edgerl.cli train cartpole --out run --set num_seeds=1"
    quick = {"JAX_COMPILATION_CACHE_DIR": "", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    environment = {**os.environ, **quick}  # without a cache, which would be cut as well
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == 2
    assert done.stderr.endswith("File too large\n")
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    assert not (tmp_path / "run" / "result.json").exists()


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
    done = run("verify", tmp_path / "changed", "--json", "--targets", "host C")
    assert done.returncode == 1
    assert not json.loads(done.stdout)["passed"]


def test_a_finished_run_is_not_overwritten(trained, capsys):
    assert "finished" in refused(capsys, "train", "cartpole", "--out", trained / "run")


def test_an_export_is_not_overwritten(trained, capsys):
    assert "exists" in refused(capsys, "export", trained / "run", "--out", trained / "export")


@pytest.mark.parametrize("command", ["evaluate", "figures"])
def test_a_result_that_is_damaged(trained, tmp_path, capsys, command):
    shutil.copytree(trained / "run", tmp_path / "run")
    (tmp_path / "run" / "result.json").write_text("{}")
    assert "result.json is damaged" in refused(capsys, command, tmp_path / "run")


def test_figures_of_a_log_that_lost_rows(trained, tmp_path, capsys):
    shutil.copytree(trained / "run", tmp_path / "run")
    log = tmp_path / "run" / "log.csv"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    assert "log.csv is damaged: it has 1 of 2 rows" in refused(capsys, "figures", tmp_path / "run")
    assert not (tmp_path / "run" / "figures").exists()


def test_the_policy_of_another_run(trained, tmp_path, capsys):
    shutil.copytree(trained / "run", tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("- 8", "- 9"))
    assert "policy.npz is not the policy of this run" in refused(capsys, "evaluate", tmp_path / "run")


def test_a_picture_of_a_benchmark_that_could_not_be_written(capsys, tmp_path):
    assert "--figure" in refused(capsys, "bench", "--figure", tmp_path / "none" / "x.png")
    assert ".png" in refused(capsys, "bench", "--figure", tmp_path / "x.doc")


def test_a_benchmark_without_environments_to_choose_from(capsys):
    assert "only 'bench ppo'" in refused(capsys, "bench", "sim", "--env", "CartPole-v1")


@pytest.mark.parametrize("folder", ["run", "export"])
def test_simulating_a_policy(trained, folder):
    done = run("simulate", "CartPole-v1", "--policy", trained / folder, "--envs", 64, "--steps", 100, "--json")
    assert json.loads(done.stdout)["episodes"] > 0
