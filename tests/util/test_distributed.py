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


@pytest.mark.long
def test_a_training_over_two_processes_is_that_of_one_with_two_devices(tmp_path):
    finished(training(tmp_path / "two", 2, slurm=True))
    finished(training(tmp_path / "one", 1))
    assert_same_run(tmp_path / "two", tmp_path / "one")


@pytest.mark.long
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
    _, error = other.communicate(timeout=15)
    running[victim].communicate()
    assert other.returncode == processes.LOST, error
    assert error.count("\n") == 1, error
    assert error.startswith("edgerl train: another process is gone (")
    assert not (tmp_path / "killed" / "result.json").exists()
    if victim == 0:
        finished(training(tmp_path / "killed", 1, updates=200))
        finished(training(tmp_path / "whole", 1, updates=200))
        assert_same_run(tmp_path / "killed", tmp_path / "whole")


WAITING = """
import sys, time
from edgerl.util.distributed import processes
with processes.joined("test", sys.argv[1], 2, int(sys.argv[2])):
    print("joined", flush=True)
    time.sleep(120)
"""


@pytest.mark.long
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_dies_is_noticed_while_nothing_is_exchanged(victim):
    address = f"127.0.0.1:{port()}"
    running = [started(["-c", WAITING, address, i]) for i in range(2)]
    assert [process.stdout.readline() for process in running] == ["joined\n"] * 2
    running[victim].kill()
    began = time.monotonic()
    _, error = running[1 - victim].communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert running[1 - victim].returncode == processes.LOST, error
    assert error.count("\n") == 1, error
    assert error.startswith("test: another process is gone (")
    running[victim].communicate()


SRUN = """#!/usr/bin/env bash
# Two processes on this machine, as Slurm would start them; of the first step one is killed where KILL names a run.
export SLURM_JOB_ID=1 SLURM_STEP_NODELIST=localhost SLURM_NTASKS=2 JAX_NUM_CPU_DEVICES=1
shift  # --kill-on-bad-exit=0
pids=()
for i in 0 1; do
  SLURM_PROCID=$i SLURM_LOCALID=0 "$@" &
  pids+=($!)
done
if [ -n "${KILL:-}" ] && ! [ -e "$KILL.killed" ]; then
  touch "$KILL.killed"
  until [ -s "$KILL/log.csv" ]; do sleep 0.05; done
  kill -9 "${pids[1]}"
fi
worst=0
for pid in "${pids[@]}"; do
  wait "$pid"
  status=$?
  [ "$status" -gt "$worst" ] && worst=$status
done
exit "$worst"
"""


@pytest.mark.long
@pytest.mark.parametrize("killed", [False, True])
def test_the_script_for_slurm(tmp_path, killed):
    """With a stand-in for `srun`. Where a process is killed, it starts again, and ends with the same bits."""
    for name, text in {
        "srun": SRUN,
        "edgerl": f'#!/usr/bin/env bash\nexec {sys.executable} -m edgerl.cli "$@"\n',
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    settings = [*SMALL, f"ppo.num_updates={200 if killed else 20}", "num_seeds=1", "mesh=0"]
    script = Path(__file__).parents[2] / "examples" / "slurm.sh"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_NUM", "XLA"))}
    kept |= {"PATH": f"{tmp_path}:{kept['PATH']}", "JAX_PLATFORMS": "cpu", "JAX_COORDINATOR_PORT": str(port())}
    kept |= {"KILL": str(tmp_path / "run")} if killed else {}
    command = ["bash", script, "train", "cartpole", "--set", *settings, "--out", tmp_path / "run"]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert ("attempt 1 ended with status 137" in done.stderr) == killed, done.stderr
    if killed:
        whole = training(tmp_path / "whole", 1, updates=200, settings=("num_seeds=1", "mesh=0"))
        finished(whole)
        assert_same_run(tmp_path / "run", tmp_path / "whole")


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
