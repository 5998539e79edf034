"""Several processes on one machine, one CPU device each: the same results, one line when one dies, resumption."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import environments
import pytest

from edgerl import UserError
from edgerl.util.distributed import meeting, processes

SIMULATION = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from environments import Walk, WalkParams
import edgerl
from edgerl.util.distributed import processes
with processes.joined("test", sys.argv[2], int(sys.argv[3]), int(sys.argv[4])):
    import jax
    import jax.numpy as jnp
    import numpy as np
    from edgerl.envs.policy import MLPPolicy

    env, key = Walk(), jax.random.key(4)
    network = MLPPolicy((jnp.ones((1, 8)), jnp.ones((8, 3))), (jnp.zeros(8), jnp.zeros(3)))
    limits = WalkParams(limit=np.linspace(1, 5, 301, dtype=np.float32))
    stats = edgerl.simulate(env, network, key, num_envs=301, num_steps=60, params=limits, trajectory=True)
    seen = np.asarray(stats.trajectory.next_obs)
    results = [stats.as_dict(), list(seen.shape), hashlib.sha256(seen.tobytes()).hexdigest(), jax.device_count()]
    negative = processes.share({"zero": np.float32([-0.0 if processes.is_first() else 7, np.nan]), "key": key})
    results.append([np.signbit(negative["zero"]).tolist(), jax.random.key_data(negative["key"]).tolist()])
    print(json.dumps(results))
"""
SMALL = ["num_seeds=3", "checkpoint_every=5", "evaluation_envs=16", "ppo.num_envs=4", "ppo.num_steps=8"]
SMALL += ["ppo.epochs=1", "ppo.num_minibatches=1", "ppo.hidden_sizes=[8]"]


def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def started(command: list, devices: int = 1, **variables: str) -> subprocess.Popen:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_NUM", "XLA"))}
    environment = {**kept, "JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu", **variables}
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def simulation(count: int, devices: int) -> list:
    """What each of `count` processes found."""
    address = f"127.0.0.1:{port()}"
    command = ["-c", SIMULATION, Path(environments.__file__).parent, address, count]
    running = [started([*command, i], devices) for i in range(count)]
    answers = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * count, answers
    return [json.loads(out) for out, _ in answers]


@pytest.mark.long
def test_simulate_gives_one_processs_result_on_all_of_four():
    (alone,) = simulation(1, 2)
    several = simulation(4, 1)
    assert [found.pop(-2) for found in (alone, *several)] == [2, 4, 4, 4, 4]  # devices, on which nothing depends
    assert alone[0]["episodes"] > 1000
    assert several == [alone] * 4


def training(
    folder: Path, count: int, updates: int = 20, slurm: bool = False, settings: tuple[str, ...] = ()
) -> list[subprocess.Popen]:
    settings = (*SMALL, f"ppo.num_updates={updates}", *settings)
    command = ["-m", "edgerl.cli", "train", "cartpole", "--out", folder, "--set", *settings]
    if count == 1:
        return [started(command, 2)]
    if slurm:  # as `srun` starts them on one node
        step = {"SLURM_JOB_ID": "1", "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": str(count)}
        step["JAX_COORDINATOR_PORT"] = str(port())
        return [started(command, **step, SLURM_PROCID=str(i), SLURM_LOCALID=str(i)) for i in range(count)]
    whom = ["--coordinator", f"127.0.0.1:{port()}", "--processes", count, "--process-id"]
    return [started([*command, *whom, i]) for i in range(count)]


def finished(running: list[subprocess.Popen]) -> None:
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * len(running), said
    assert [bool(out) for out, _ in said] == [True] + [False] * (len(running) - 1)  # the first one prints


def assert_same_run(a: Path, b: Path) -> None:
    assert {path.name for path in a.iterdir()} == {path.name for path in b.iterdir()}
    for name in ("policy.npz", "log.csv", "config.yaml", "run.json"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def test_a_training_over_two_processes_is_that_of_one_with_two_devices(tmp_path):
    finished(training(tmp_path / "two", 2, slurm=True))
    finished(training(tmp_path / "one", 1))
    assert_same_run(tmp_path / "two", tmp_path / "one")


def test_one_seed_over_two_processes_is_that_of_one_with_two_devices(tmp_path):
    """Its environments are shared out; what the devices tell each other is added up in the same order."""
    settings = ("num_seeds=1", "mesh=2")
    finished(training(tmp_path / "two", 2, settings=settings))
    finished(training(tmp_path / "one", 1, settings=settings))
    assert_same_run(tmp_path / "two", tmp_path / "one")


@pytest.mark.long
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_dies_ends_the_other_and_the_run_goes_on(tmp_path, victim):
    """Killed in two processes, it goes on in one, to the same bits."""
    running = training(tmp_path / "killed", 2, updates=200)
    log, deadline = tmp_path / "killed" / "log.csv", time.monotonic() + 120
    while not (log.is_file() and log.read_bytes().count(b"\n") > 30):
        assert time.monotonic() < deadline
        assert [process.poll() for process in running] == [None, None], [x.communicate() for x in running]
        time.sleep(0.01)
    running[victim].send_signal(signal.SIGKILL)
    other = running[1 - victim]
    _, error = other.communicate(timeout=60)
    running[victim].communicate()
    assert other.returncode == processes.LOST, error
    assert error.count("\n") == 1, error
    assert error.startswith("edgerl train: another process is gone (")
    assert not (tmp_path / "killed" / "result.json").exists()
    if victim == 0:
        finished(training(tmp_path / "killed", 1, updates=200))
        finished(training(tmp_path / "whole", 1, updates=200))
        assert_same_run(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("node:1", None, None), "belong together"),
        (("node:1", 2, 2), "--process-id is 2; with --processes 2 it must be from 0 to 1"),
        (("node", 2, 0), "must be HOST:PORT"),
        (("node:0", 2, 0), "must be HOST:PORT"),
        ((":1234", 2, 0), "must be HOST:PORT"),
        (("node:99999", 2, 0), "must be HOST:PORT"),
        (("no.such.host.invalid:1234", 2, 1), "there is no host 'no.such.host.invalid'"),
        (("node:1", 0, 0), "--processes is 0; it must be at least 1"),
        ((None, 1, 5), "--process-id is 5; with --processes 1 it must be from 0 to 0"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(UserError, match=message), processes.joined("test", *arguments):
        pass


def test_nobody_at_the_coordinators_address(monkeypatch):
    monkeypatch.setattr(meeting, "CONNECTING", 0.5)
    address = f"127.0.0.1:{port()}"
    with pytest.raises(UserError, match=f"'{address}': nobody answered there"), processes.joined("test", address, 2, 1):
        pass


def test_partners_that_do_not_come_end_in_one_line():
    code = f"""if True:
        from edgerl.util.distributed import meeting, processes
        meeting.SECONDS = 2
        with processes.joined("test", "127.0.0.1:{port()}", 2, 0):
            pass
    """
    process = started(["-c", code])
    _, error = process.communicate(timeout=120)
    assert process.returncode == 2
    assert error.splitlines()[-1].startswith("test: the other processes did not come within")
    assert "Check failure" not in error


def test_a_process_that_a_launcher_started_alone_needs_no_other(monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "1")
    with processes.joined("test", None, None, None):
        pass
    assert processes.leave(2) == 2
