"""The agent-vit commands on a small synthetic set: train, resume, evaluate, figures, export."""

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
from whole_way import train

import edgerl
from edgerl import cli, open_run
from edgerl.envs.policy import same
from edgerl.envs.policy_file import load_policy
from edgerl.rl.run.logs import read_log
from edgerl.tasks.agent_vit import judgement as agent_vit_judgement
from edgerl.tasks.agent_vit import methods
from edgerl.tasks.agent_vit.agents import online
from edgerl.tasks.agent_vit.env import PatchSelectionState
from edgerl.util import checkpoint, config

pytestmark = [pytest.mark.usefixtures("quick_compile"), pytest.mark.long]

TINY = (
    "source=synthetic",
    "train_images=640",
    "test_images=64",
    "vit.patch_size=8",  # 16 patches
    "vit.att_dim=8",
    "vit.depth=1",
    "vit.heads=1",
    "vit.dim_head=8",
    "vit.mlp_dim=8",
    "batch_size=16",
    "n_patch_desired=6",
    "full_every=0",
    "augment=false",
    "checkpoint_every=10",
    "num_seeds=1",
    "compared=[random]",
    "policy.hidden=4",
)
DQN = (
    *TINY,
    "agent=dqn",
    "vit.patch_size=16",  # 4 patches: a program for each number of them
    "n_patch_desired=2",
    "dqn.hidden_sizes=[8]",
    "dqn.frequency=2",
    "dqn.buffer_batch_size=2",
    "dqn.eps_decay=10",
)
STEPS = 40

PROGRAM = """
import sys
sys.path[:0] = [sys.argv[1]]
import edgerl, jax
from edgerl.tasks.registry import task_of
jax.config.update("jax_disable_most_optimizations", True)
task = task_of("agent-vit")
task.train(task.settings(None, sys.argv[3:]), sys.argv[2])
"""


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent_vit") / "run"
    train("agent-vit", TINY, folder)
    return folder


@pytest.fixture(scope="module")
def dqn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent_vit") / "dqn"
    train("agent-vit", DQN, folder)
    return folder


def test_train_writes_what_the_other_commands_need(policy):
    result = json.loads((policy / "result.json").read_text())
    assert result["seeds"]["0"]["step"] == STEPS
    assert result["seeds"]["0"]["patches"] == 6
    assert load_policy(policy / "policy.npz").sizes == (26, 5, 2)
    log = read_log(policy / "members" / "policy-0" / "log.csv")
    assert len(log["loss"]) == STEPS
    assert set(log["patches"]) == {6}


def test_rewards_and_exploration_of_the_published_agent_are_its_formulas(dqn):
    log = read_log(dqn / "members" / "dqn-0" / "log.csv")
    distance = np.abs((4 - log["patches"]) - (4 - 2)) / (4 - 2)
    np.testing.assert_allclose(log["reward"], log["loss"][0] / log["loss"] - 20 * distance, rtol=1e-4)
    epsilon = 0.01 + 0.99 * np.exp(-np.arange(STEPS) / 10)
    np.testing.assert_allclose(log["exploration"], epsilon, rtol=1e-4)
    assert load_policy(dqn / "policy.npz").sizes == (4, 8, 4)


@pytest.mark.parametrize(("name", "settings"), [("policy", TINY), ("dqn", DQN)])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(name, settings, tmp_path, request):
    whole = request.getfixturevalue(name)
    folder = tmp_path / "run"
    root = str(Path(edgerl.__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, root, str(folder), *settings], stderr=subprocess.PIPE)
    log = folder / "members" / f"{name}-0" / "log.csv"
    _kill_when(lambda: log.is_file() and log.read_bytes().count(b"\n") > random.randint(1, STEPS // 2), process)
    assert not (folder / "result.json").exists()
    with log.open("ab") as file:
        file.write(b"1")  # as if it had died in the middle of a line
    train("agent-vit", settings, folder)
    assert same(load_policy(whole / "policy.npz"), load_policy(folder / "policy.npz"))
    here, there = (f / "members" / f"{name}-0" for f in (whole, folder))
    assert (here / "log.csv").read_text() == (there / "log.csv").read_text()
    curves = [json.loads((member / "curve.json").read_text()) for member in (here, there)]
    assert [{**row, "seconds": 0} for row in curves[0]] == [{**row, "seconds": 0} for row in curves[1]]


def _kill_when(far_enough, process):
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline and not far_enough():
        time.sleep(0.002)
    time.sleep(random.random() * 0.05)
    os.kill(process.pid, signal.SIGKILL)
    said = process.communicate()[1].decode()
    assert process.returncode == -signal.SIGKILL, said[-500:]


def test_ctrl_c_says_how_far_it_is(tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Checkpoints, "save", interrupted)
    assert cli.main(["train", "agent-vit", "--set", *TINY, "--out", str(tmp_path / "run")]) == 130
    assert "policy, seed 0: step 0 of 40 is saved, and the same command goes on from there" in capsys.readouterr().err


def test_evaluate_then_figures(policy):
    judged = open_run(policy).evaluate()
    rows = judged["methods"]
    assert set(rows) == {"full", "random", "policy"}
    assert rows["full"]["share_of_macs"] == 1
    assert rows["random"]["share_of_macs"] < rows["policy"]["share_of_macs"] < 0.6
    for row in rows.values():
        assert 0 <= row["equal_macs"]["all"]["mean"] <= 1
        assert row["equal_epochs"]["own"]["seeds"] == [row["equal_epochs"]["own"]["mean"]]
    spent = [json.loads((policy / "members" / f"{name}-0" / "curve.json").read_text())[-1]["macs"] for name in rows]
    np.testing.assert_allclose(spent, judged["budget"]["macs"], rtol=0.02)
    drawn = open_run(policy).figures()
    assert {path.name for path in drawn} == {
        "loss_and_patches.png",
        "agent.png",
        "chosen_patches.png",
        "positions.png",
        "accuracy_against_cost.png",
        "table.md",
    }
    assert all(path.stat().st_size > 5_000 for path in drawn if path.suffix == ".png")
    table = (policy / "figures" / "table.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| full", "| random", "| policy"]
    assert f"{100 * rows['random']['equal_macs']['own']['mean']:.1f}" in table[3]


def test_under_a_falling_rate_equal_macs_are_a_training_of_their_own(tmp_path):
    falling = (*TINY, "schedule=cosine", "warmup=0.1", "weight_decay=0.05", "label_smoothing=0.1", "curve=[6]")
    train("agent-vit", falling, tmp_path / "run")
    judged = open_run(tmp_path / "run").evaluate()
    rows, names = judged["methods"], ["full", "random", "policy"]
    assert list(rows) == names
    assert not any("equal_time" in row for row in rows.values())
    spent = {}
    for name in ("full", "random", "random.equal_macs", "policy.equal_macs"):
        *_, last = json.loads((tmp_path / "run" / "members" / f"{name}-0" / "curve.json").read_text())
        spent[name] = last["macs"]
        kind = "equal_macs" if "." in name else "equal_epochs"
        assert rows[name.split(".")[0]][kind]["all"]["seeds"] == [last["all"]["accuracy"]]
    budget = judged["budget"]["macs"]
    assert spent["random"] < 0.6 * budget
    assert [macs for name, macs in spent.items() if name != "random"] == pytest.approx([budget] * 3, rel=0.02)
    heads = agent_vit_judgement.rows(judged)[0]
    assert heads[4:] == ["equal epochs, all", "equal epochs, own", "equal macs, all", "equal macs, own"]
    ways = {row["way"]: row for row in judged["inference"]}
    assert set(ways) == {"random", "chessboard", "centre", "norm", "attention", "merge", "drop"}
    assert ways["random"]["macs"] == ways["centre"]["macs"] < ways["norm"]["macs"] < ways["attention"]["macs"]


def test_a_training_with_phases_is_timed_in_each_of_them():
    settings = config.load(methods.AgentViTConfig, None, TINY)
    splits = methods.load_splits(settings)
    nothing = online.TrainState(PatchSelectionState(*[None] * 9), None, None, None)

    def timed(name):
        one = methods.member(settings, splits, name, 0)
        times = [running.env.time for running in agent_vit_judgement._phases(one, nothing)]
        return [int(one.env._size(jax.random.key(0), time, np.zeros((1, 16)), one.params)[1]) for time in times]

    assert timed("random") == [6]
    assert timed("annealed") == list(methods.growing(6, 16))


def test_export(policy, tmp_path):
    report = open_run(policy).export(tmp_path / "c")
    assert report["policy"]["sizes"] == [26, 5, 2]
    assert report["closed_loop"]["float32"]["patches"] == pytest.approx(6, abs=2)
    header = (tmp_path / "c" / "policy.h").read_text()
    assert "[0] mean red, standard deviations: -" in header
    assert "[25] 1 for the patch in row 3, column 3, else 0: " in header
    assert "*   0: leave this patch out\n *   1: take this patch" in header
    assert "Environment: PatchSelection-v0" in header


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("vit.patch_size=5", "vit.patch_size: patches of 5 pixels do not tile an image of 32"),
        ("n_patch_desired=17", "n_patch_desired: 17 patches of 16: expected 1 to 16"),
        ("n_patch_desired=0", "n_patch_desired: 0 is below 1"),
        ("data=somewhere", "data: the synthetic images need none"),
        ("learning_rate=1e30", "try a smaller learning_rate than 1e+30"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_clear_line(setting, message, tmp_path, capsys):
    arguments = ["train", "agent-vit", "--set", *TINY, setting, "--out", str(tmp_path / "run")]
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_too_little_memory_is_one_clear_line(tmp_path, monkeypatch, capsys):
    def refused(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")

    monkeypatch.setattr(online, "update", refused)
    assert cli.main(["train", "agent-vit", "--set", *TINY, "--out", str(tmp_path / "run")]) == 2
    assert "not enough memory: try a smaller batch_size than 16" in capsys.readouterr().err
