"""The agent-vit commands on a small synthetic set: train, resume, evaluate, figures, export."""

import json

import numpy as np
import pytest

from edgerl import cli
from edgerl.core.policy import load_policy, same
from edgerl.pipelines import agent_vit
from edgerl.pipelines import agent_vit_members as members

pytestmark = pytest.mark.usefixtures("quick_compile")

TINY = (
    "source=synthetic",
    "train_images=640",
    "test_images=64",
    "vit.patch_size=8",  # 16 patches
    "vit.att_dim=16",
    "vit.depth=1",
    "vit.heads=1",
    "vit.dim_head=16",
    "vit.mlp_dim=16",
    "batch_size=16",
    "n_patch_desired=6",
    "full_every=0",
    "augment=false",
    "checkpoint_every=15",
    "num_seeds=1",
    "compared=[random]",
    "policy.hidden=4",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent_vit") / "run"
    agent_vit.train(None, TINY, folder)
    return folder


def test_train_writes_what_the_other_commands_need(run):
    result = json.loads((run / "result.json").read_text())
    assert result["seeds"]["0"]["step"] == 40
    assert result["seeds"]["0"]["patches"] == 6
    assert load_policy(run / "policy.npz").sizes == (26, 5, 2)
    log = members.read_log(run / "members" / "policy-0")
    assert len(log["loss"]) == 40
    assert set(log["patches"]) == {6}


def test_a_run_that_was_killed_goes_on_to_the_same_bits(run, tmp_path, monkeypatch, capsys):
    true = members.Checkpoints.save

    def killed(self, step, tree):
        true(self, step, tree)
        if step == 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(members.Checkpoints, "save", killed)
    arguments = ["train", "agent-vit", "--set", *TINY, "--out", str(tmp_path / "run")]
    assert cli.main(arguments) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    monkeypatch.undo()
    assert cli.main(arguments) == 0
    assert same(load_policy(run / "policy.npz"), load_policy(tmp_path / "run" / "policy.npz"))
    logs = [(folder / "members" / "policy-0" / "log.csv").read_text() for folder in (run, tmp_path / "run")]
    assert logs[0] == logs[1]
    curves = [json.loads((f / "members" / "policy-0" / "curve.json").read_text()) for f in (run, tmp_path / "run")]
    assert [{**row, "seconds": 0} for row in curves[0]] == [{**row, "seconds": 0} for row in curves[1]]


def test_evaluate_then_figures(run):
    judged = agent_vit.evaluate(run)
    rows = judged["methods"]
    assert set(rows) == {"full", "random", "policy"}
    assert rows["full"]["share_of_macs"] == 1
    assert rows["random"]["share_of_macs"] < rows["policy"]["share_of_macs"] < 0.6
    for row in rows.values():
        assert 0 <= row["equal_macs"]["all"]["mean"] <= 1
        assert row["equal_epochs"]["own"]["seeds"] == [row["equal_epochs"]["own"]["mean"]]
    spent = [json.loads((run / "members" / f"{name}-0" / "curve.json").read_text())[-1]["macs"] for name in rows]
    np.testing.assert_allclose(spent, judged["budget"]["macs"], rtol=0.02)
    drawn = agent_vit.figures(run)
    assert {path.name for path in drawn} == {
        "loss_and_patches.png",
        "agent.png",
        "chosen_patches.png",
        "positions.png",
        "accuracy_against_cost.png",
    }
    assert all(path.stat().st_size > 5_000 for path in drawn)


def test_export(run, tmp_path):
    report = agent_vit.export(run, tmp_path / "c")
    assert report["policy"]["sizes"] == [26, 5, 2]
    assert report["closed_loop"]["float32"]["patches"] == pytest.approx(6, abs=2)
    assert (tmp_path / "c" / "policy.c").is_file()


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
        raise members.jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")

    monkeypatch.setattr(members.online, "advance", refused)
    assert cli.main(["train", "agent-vit", "--set", *TINY, "--out", str(tmp_path / "run")]) == 2
    assert "not enough memory: try a smaller batch_size than 16" in capsys.readouterr().err
