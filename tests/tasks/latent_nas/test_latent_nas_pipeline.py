"""The latent-nas commands from a user's own table to C: train, evaluate, figures, export, verify."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import lines, table, write
from whole_way import train

from edgerl import cli, deploy, open_run
from edgerl.rl import losses
from edgerl.rl.heads import CategoricalHead
from edgerl.tasks.latent_nas import factory
from edgerl.tasks.latent_nas import task as latent_nas

EXAMPLES = Path(__file__).parents[3] / "examples"
SEARCHES = ("greedy look-ahead", "regularised evolution", "Bayesian optimisation (Optuna)")
SMALL = (
    "num_seeds=1",
    "ppo.num_updates=4",
    "ppo.num_envs=64",
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
    train("latent-nas", [f"data={folder / 'table.csv'}", *SMALL], folder / "run", EXAMPLES / "latent_nas_a2c.yaml")
    return folder / "run"


@pytest.mark.long
def test_evaluate(run, capsys):
    assert cli.main(["evaluate", str(run), "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["agent"]["starts"] == 1000
    assert judged["agent"]["buildable"] == 1
    assert 0 < judged["agent"]["share_of_bound"] <= 1.01
    searched = judged["best_score_at_equal_evaluations"]
    assert set(searched) == {"agent", "random", *SEARCHES}
    assert all(0.3 < scores["10"]["least"] <= scores["10"]["mean"] < 1 for scores in searched.values())
    counted = judged["training_counted"]
    assert counted["evaluations_of_training"] == 4 * 64 * 5
    assert counted["evaluations_a_start"] >= 4 * 64 * 5 / 1000
    assert set(counted["best_score"]) == {"agent", "random", *SEARCHES[:2]}
    assert judged["models"]["rows"]["held out"] == 60
    found = json.loads((run / "architectures.json").read_text())
    assert len(found) == 1000
    # What AnalogNAS's `Network(config)` looks up, as whole numbers but for the kinds of convolution.
    blocks = [name + str(i) for i in range(1, 6) for name in ("R", "widenfact", "B")]
    for one in found:
        genes = one["architecture"]
        assert set(genes) == {"out_channel0", "M", *blocks, *(f"convblock{i}" for i in range(1, 6))}
        assert all(type(genes[name]) is int for name in ("out_channel0", "M", *blocks))
        assert all(genes[f"convblock{i}"] in (("A", "B", "C", "D") if i <= genes["M"] else (0,)) for i in range(1, 6))


@pytest.mark.long
def test_a_table_that_teaches_nothing_is_told_by_train_and_evaluate(run, tmp_path, capsys, monkeypatch):
    """No share of a bound, none of the high group. That such tables are found: see test_latent_nas_trust.py."""
    good = factory.load_models(run / "models.npz")
    table_said = {**good.provenance["table"], "file": "mine.csv"}
    rule = {**good.provenance["rule"], "holds": False, "pairs_in_order": 0.5}
    surrogate = {**good.provenance["surrogate"], "r2": -0.009, "r2_95_percent": [-0.05, 0.04]}
    said = {**good.provenance, "table": table_said, "rule": rule, "surrogate": surrogate}
    monkeypatch.setattr(latent_nas, "build", lambda path, config: dataclasses.replace(good, provenance=said))
    arguments = ["--config", str(EXAMPLES / "latent_nas_a2c.yaml"), "--data", "mine.csv", "--set", *SMALL]
    assert cli.main(["train", "latent-nas", *arguments, "--out", str(tmp_path / "run")]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["table"] == "mine.csv"
    assert told == [f"note: {note}" for note in result["notes"]]
    assert "the surrogate explains nothing of mine.csv" in told[0]
    assert "R² is -0.009, 95 % interval -0.050 to 0.040" in told[0]
    assert "does not hold in mine.csv" in told[1]
    assert cli.main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    out = capsys.readouterr()
    judged = json.loads(out.out)
    assert judged["notes"] == result["notes"]
    assert out.err.splitlines() == told
    for who in ("agent", "random_actions"):
        for name in ("share_of_bound", "buildable_and_high_group", "least_parameters"):
            assert judged[who][name] is None
            assert "mine.csv" in judged[who]["reasons"][name]
    found = json.loads((tmp_path / "run" / "architectures.json").read_text())
    assert {one["high_group"] for one in found} == {None}


@pytest.fixture(scope="module")
def weighed(tmp_path_factory):
    """A policy for all weights of the objectives, on the shipped networks."""
    folder = tmp_path_factory.mktemp("latent_nas_weighed") / "run"
    small = [x for x in SMALL if not x.startswith("build")]
    train("latent-nas", [*small, "ppo.num_updates=4"], folder, EXAMPLES / "latent_nas_front.yaml")
    return folder


@pytest.mark.long
def test_the_front_of_a_policy_for_all_weights(weighed):
    front = open_run(weighed).evaluate()["front"]
    assert [round(row["weights"]["accuracy"], 1) for row in front] == [i / 10 for i in range(11)]
    assert all(row["score"] <= row["bound"] + 1e-4 for row in front)
    assert 0.8 < front[0]["bound"] < front[-1]["bound"]  # few parameters score (8 - 4.6) / 4 at best
    assert len(json.loads((weighed / "architectures.json").read_text())) == 1000


@pytest.mark.long
def test_a2c_is_ppo_whose_clipping_does_nothing(run):
    """The run was trained by it. With every probability ratio 1, the gradient is that of the advantage's mean."""
    config = open_run(run).config.ppo
    assert config.epochs == config.num_minibatches == 1
    keys = jax.random.split(jax.random.key(0), 3)
    logits, advantage = jax.random.normal(keys[0], (113, 50)), jax.random.normal(keys[1], (50,))
    action, zeros = jax.random.randint(keys[2], (50,), 0, 113), jnp.zeros(50)

    def log_prob(logits):
        return jax.nn.log_softmax(logits, 0)[action, jnp.arange(50)]

    batch = losses.Minibatch(zeros, action, log_prob(logits), zeros, advantage, zeros)
    config = config.replace(entropy_coefficient=0.0)
    clipped = jax.jit(jax.grad(lambda x: losses.ppo_loss(CategoricalHead(113), x, zeros, batch, config, 1.0)[0]))(
        logits
    )
    np.testing.assert_allclose(clipped, jax.grad(lambda x: -jnp.mean(advantage * log_prob(x)))(logits), atol=1e-6)


def test_figures(run):
    drawn = open_run(run).figures()
    assert [path.name for path in drawn] == [
        "latent_space.png",
        "trajectories.png",
        "reward_and_length.png",
        "accuracy_parameters.png",
    ]
    assert all(path.stat().st_size > 10_000 for path in drawn)


@pytest.mark.long
def test_export_and_verify(run, tmp_path):
    report = open_run(run).export(tmp_path / "c")
    assert report["policy"]["sizes"] == [8, 16, 113]
    assert report["closed_loop"]["int8"]["mean_score"] > 0
    header = (tmp_path / "c" / "policy.h").read_text()
    assert "[7] latent coordinate 7: -" in header
    assert "*   9: set latent coordinate 1 to its code 1\n" in header
    assert "*   112: stop\n" in header
    verified = deploy.verify(tmp_path / "c", num_vectors=500)
    assert verified["passed"]


def test_wrong_data_is_told_before_anything_is_written(tmp_path, capsys):
    (tmp_path / "table.csv").write_text("out_channel0,M\n")
    arguments = ["train", "latent-nas", "--data", str(tmp_path / "table.csv"), "--out", str(tmp_path / "run")]
    assert cli.main(arguments) == 2
    assert "column 'R1' is missing" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
