"""Training runs: what they write, and that a killed one goes on to the same bits."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import yaml

import edgerl
from edgerl.envs.policy_file import load_policy, save_policy
from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.rl.run import loop, run_folder, runner
from edgerl.util import config as configuration

ENV = edgerl.make("CartPole-v1")
CONFIG = RunConfig(
    seed=7,
    num_seeds=2,
    checkpoint_every=3,
    evaluation_envs=16,
    evaluation_steps=50,
    ppo=PPOConfig(
        num_updates=40, num_envs=4, num_steps=8, epochs=2, num_minibatches=2, hidden_sizes=(8,), learning_rate=1e-2
    ),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """An uninterrupted run: its folder, and what `train_run` returned."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    return folder, runner.train_run(ENV, CONFIG, folder, about={"system": "cartpole"}, progress=False)


def rows(folder):
    header, *lines = (folder / "log.csv").read_text().splitlines()
    return [dict(zip(header.split(","), map(float, line.split(",")), strict=True)) for line in lines]


def assert_same_run(folder, reference):
    for name in ("policy.npz", "log.csv", "config.yaml", "run.json"):
        assert (folder / name).read_bytes() == (reference / name).read_bytes(), name


def test_a_run_folder(finished):
    folder, result = finished
    names = {"config.yaml", "run.json", "log.csv", "tensorboard", "checkpoints", "policy.npz", "result.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert configuration.load(RunConfig, folder / "config.yaml") == CONFIG
    assert json.loads((folder / "run.json").read_text())["system"] == "cartpole"
    assert json.loads((folder / "run.json").read_text())["env_params"]["gravity"] == 9.8
    assert json.loads((folder / "result.json").read_text()) == result
    assert load_policy(folder / "policy.npz").sizes == (4, 8, 2)
    assert list((folder / "tensorboard").iterdir())


def test_the_log_has_a_row_for_each_update_and_seed(finished):
    table = rows(finished[0])
    assert [(row["update"], row["seed"]) for row in table] == [(u, s) for u in range(1, 41) for s in range(2)]
    assert all(row["steps"] == 32 * row["update"] for row in table)
    assert all(np.isfinite(row["loss"]) for row in table)
    assert {row["episode_return"] for row in table if row["episodes"] > 0} - {0.0}


def test_the_best_seed_is_judged_on_other_episodes(finished):
    _, result = finished
    scores = result["choice"]["returns"]
    assert result["best_seed"] == int(np.argmax(scores))
    assert result["devices_per_seed"] == 1
    assert result["evaluation"]["episodes"] >= 16
    _, choice_key, judge_key = runner.keys(CONFIG)
    assert not np.array_equal(jax.random.key_data(choice_key), jax.random.key_data(judge_key))


def test_seeds_differ_and_do_not_depend_on_how_many_they_are():
    one, two = (runner.keys(dataclasses.replace(CONFIG, num_seeds=n))[0] for n in (2, 3))
    np.testing.assert_array_equal(jax.random.key_data(one), jax.random.key_data(two)[:2])


PROGRAM = """
import sys
sys.path[:0] = {path!r}
import edgerl
from edgerl.rl.config import RunConfig
from edgerl.rl.run import runner
from edgerl.util import config
settings = config.load(RunConfig, sys.argv[1])
runner.train_run(edgerl.make("CartPole-v1"), settings, sys.argv[2], about={{"system": "cartpole"}}, progress=False)
"""


def start_process(tmp_path, folder):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(configuration.as_dict(CONFIG)))
    program = PROGRAM.format(path=[str(Path(edgerl.__file__).parents[1])])
    return subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "config.yaml"), str(folder)], stderr=subprocess.PIPE
    )


def wait_for_updates(process, folder, least):
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "log.csv").exists() and len(rows_so_far(folder)) >= 2 * least:
            return
        time.sleep(0.002)
    pytest.fail(f"the run did not reach update {least}: {process.communicate()[1].decode()[-500:]}")


def rows_so_far(folder):
    return (folder / "log.csv").read_bytes().split(b"\n")[1:-1]


def test_a_killed_run_goes_on_to_the_same_bits(finished, tmp_path):
    folder = tmp_path / "killed"
    process = start_process(tmp_path, folder)
    wait_for_updates(process, folder, random.randint(1, 20))
    time.sleep(random.random() * 0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert not (folder / "result.json").exists()
    assert not (folder / "policy.npz").exists()
    # As if it had died between the log's line and the checkpoint, and in the middle of a line.
    with (folder / "log.csv").open("ab") as file:
        file.write(b"39,1248,0,0.5,0.5\n40,12")
    runner.train_run(ENV, CONFIG, folder, about={"system": "cartpole"}, progress=False)
    assert_same_run(folder, finished[0])


def test_ctrl_c_says_how_far_it_is_and_can_be_resumed(finished, tmp_path):
    folder = tmp_path / "interrupted"
    process = start_process(tmp_path, folder)
    wait_for_updates(process, folder, 3)
    process.send_signal(signal.SIGINT)
    message = process.communicate()[1].decode().strip().splitlines()[-1]
    assert "is saved, and the same command goes on from there" in message
    runner.train_run(ENV, CONFIG, folder, about={"system": "cartpole"}, progress=False)
    assert_same_run(folder, finished[0])


def unfinished(tmp_path, finished):
    """A run that died before its first update."""
    folder = tmp_path / "unfinished"
    folder.mkdir()
    for name in ("config.yaml", "run.json"):
        (folder / name).write_bytes((finished[0] / name).read_bytes())
    return folder


def refused(match, folder, config=CONFIG, **options):
    before = sorted(str(path) for path in Path(folder).rglob("*"))
    with pytest.raises(edgerl.UserError, match=match) as caught:
        runner.train_run(ENV, config, folder, about={"system": "cartpole"}, progress=False, **options)
    assert "\n" not in str(caught.value)
    assert sorted(str(path) for path in Path(folder).rglob("*")) == before


def test_folders_that_are_refused(finished, tmp_path):
    refused("holds a finished run", finished[0])
    folder = unfinished(tmp_path, finished)
    refused("holds an unfinished run: resume it", folder, resume=False)
    other = dataclasses.replace(CONFIG, ppo=CONFIG.ppo.replace(learning_rate=0.5))
    refused(r"unfinished run with ppo.learning_rate = 0.01, not 0.5", folder, other)
    refused(r"with run.env_params.gravity = 9.8, not 1.6", folder, env_params=ENV.default_params.replace(gravity=1.6))
    (folder / "config.yaml").unlink()
    refused("is not a run folder", folder)


def test_an_unfinished_run_may_go_on_on_another_mesh(finished, tmp_path):
    """Also one of a version that had no meshes."""
    folder = unfinished(tmp_path, finished)
    about = json.loads((folder / "run.json").read_text())
    saved = configuration.as_dict(CONFIG)
    run_folder.open_folder(folder, {**saved, "mesh": 2}, about, resume=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({k: v for k, v in saved.items() if k != "mesh"}))
    run_folder.open_folder(folder, saved, about, resume=True)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(edgerl.UserError, match="cannot write"):
        runner.train_run(ENV, CONFIG, tmp_path / "file" / "run", progress=False)


def test_minibatches_that_do_not_fit_leave_nothing_behind(tmp_path):
    config = dataclasses.replace(CONFIG, ppo=CONFIG.ppo.replace(num_minibatches=5))
    with pytest.raises(edgerl.UserError, match="num_minibatches = 5"):
        runner.train_run(ENV, config, tmp_path / "run", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    config = dataclasses.replace(CONFIG, ppo=CONFIG.ppo.replace(learning_rate=1e30))
    with pytest.raises(edgerl.UserError, match=r"the loss of seed \d is \S+ at update \d+: try a smaller") as caught:
        runner.train_run(ENV, config, tmp_path / "run", progress=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "result.json").exists()


def test_the_progress_bar_is_only_for_terminals(finished, tmp_path, capfd):
    runner.train_run(ENV, CONFIG, tmp_path / "run", about={"system": "cartpole"})
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""
    assert_same_run(tmp_path / "run", finished[0])


def test_the_bar_says_what_the_newest_episodes_returned():
    training = runner.PPO(ENV, CONFIG)
    none, some = np.full(2, np.nan), np.array([30.0, np.nan])
    assert training.note(None, 3, {"episode_return": np.stack([some, none])}) == "return 30"
    assert training.note(None, 3, {"episode_return": np.stack([none, none])}) == "no episode ended"


def test_one_program_for_all_chunks_and_runs(finished, tmp_path):
    programs = runner.update._cache_size()  # other tests of this process may have added theirs
    other = dataclasses.replace(CONFIG, seed=8, ppo=CONFIG.ppo.replace(learning_rate=2e-2))
    runner.train_run(ENV, other, tmp_path / "run", progress=False)
    assert runner.update._cache_size() == programs


def test_another_environment_in_the_same_folder_is_told(finished, tmp_path):
    folder = unfinished(tmp_path, finished)
    with pytest.raises(edgerl.UserError, match=r"run.environment = CartPole-v1, not CartPole-v0"):
        runner.train_run(edgerl.make("CartPole-v0"), CONFIG, folder, about={"system": "cartpole"}, progress=False)


def test_saved_policies_are_the_greedy_ones(finished, tmp_path):
    folder, result = finished
    training = runner.PPO(ENV, CONFIG)
    states, done = loop.load(training, folder)
    assert done == 40
    policies = training.policy(states)
    save_policy(tmp_path / "policy.npz", jax.tree.map(lambda x: x[result["best_seed"]], policies))
    assert (tmp_path / "policy.npz").read_bytes() == (folder / "policy.npz").read_bytes()
