"""The latent-nas commands from a user's own table to C: train, evaluate, figures, export, verify."""

import json
import sys
from pathlib import Path

import pytest

from edgerl import cli, deploy
from edgerl.pipelines import latent_nas

sys.path.insert(0, str(Path(__file__).parent / "systems" / "latent_nas"))
from tables import lines, table, write

SEARCHES = ("greedy look-ahead", "regularised evolution", "Bayesian optimisation (Optuna)")
SMALL = (
    "num_seeds=1",
    "ppo.num_updates=4",
    "ppo.num_envs=64",
    "ppo.epochs=1",
    "ppo.hidden_sizes=[16]",
    "evaluation_envs=64",
    "evaluations=[10]",
    "bayesian_runs=1",
    # As in test_latent_nas_models.py: what was compiled there need not be again.
    "build.fit.steps=300",
    "build.fit.batch=64",
    "build.surrogate.members=2",
    "build.surrogate.selecting=200",
    "build.surrogate.refining=50",
    "build.autoencoder.encoder=[64]",
    "build.autoencoder.decoder=[32]",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("latent_nas")
    write(folder / "table.csv", lines(table(300)))
    latent_nas.train(None, [f"data={folder / 'table.csv'}", *SMALL], folder / "run")
    return folder / "run"


def test_evaluate(run, capsys):
    assert cli.main(["evaluate", str(run), "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["agent"]["starts"] == 1000
    assert judged["agent"]["buildable"] == 1
    assert 0 < judged["agent"]["share_of_bound"] <= 1.01
    searched = judged["best_score_at_equal_evaluations"]
    assert set(searched) == {"agent", "random", *SEARCHES}
    assert all(0.3 < scores["10"] < 1 for scores in searched.values())
    assert judged["models"]["rows"]["held out"] == 60
    found = json.loads((run / "architectures.json").read_text())
    assert len(found) == 1000
    assert set(found[0]["architecture"]["convblock1"]) <= set("ABCD")


def test_figures(run):
    drawn = latent_nas.figures(run)
    assert [path.name for path in drawn] == [
        "latent_space.png",
        "trajectories.png",
        "reward_and_length.png",
        "accuracy_parameters.png",
    ]
    assert all(path.stat().st_size > 10_000 for path in drawn)


def test_export_and_verify(run, tmp_path):
    report = latent_nas.export(run, tmp_path / "c")
    assert report["policy"]["sizes"] == [8, 16, 113]
    assert report["closed_loop"]["int8"]["mean_score"] > 0
    verified = deploy.verify(tmp_path / "c", num_vectors=500)
    assert verified["passed"]


def test_wrong_data_is_told_before_anything_is_written(tmp_path, capsys):
    (tmp_path / "table.csv").write_text("out_channel0,M\n")
    arguments = ["train", "latent-nas", "--data", str(tmp_path / "table.csv"), "--out", str(tmp_path / "run")]
    assert cli.main(arguments) == 2
    assert "column 'R1' is missing" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
