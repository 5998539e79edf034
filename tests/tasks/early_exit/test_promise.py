"""A promised accuracy loss: kept on other images, in 1,000 resplits too, and refused where it proves nothing."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from synthetic import synthetic_table
from whole_way import train

from benchmarks import resplits as benchmark
from edgerl import UserError, cli, open_run
from edgerl.tasks.early_exit.promise import bound, certificate, evidence, kept
from edgerl.tasks.early_exit.promise.certificate import certify, naive
from edgerl.tasks.early_exit.table.table import load_table, save_table
from edgerl.tasks.early_exit.trunk.data import FIT, POLICY, TEST

pytestmark = pytest.mark.usefixtures("quick_compile")  # what is compared here is which numbers come out

MOST = {
    0.005: 0.79,
    0.01: 0.74,
    0.02: 0.68,
}  # of the last exit's multiply-accumulates, on the shipped table's test images


@pytest.fixture(scope="module")
def shipped():
    return {split: evidence.of_table(load_table(), split) for split in ("policy", "test")}


@pytest.mark.parametrize("loss", MOST)
def test_the_shipped_network_keeps_its_promises_cheaply(shipped, loss):
    made = certify(shipped["policy"], loss, 0.1)
    reached = shipped["test"].outcome(made.threshold)
    assert reached["cost_share"] <= MOST[loss]
    assert reached["accuracy_loss"] <= loss
    assert made.measured_loss <= made.bound <= loss
    assert made.p_value <= 0.1
    assert naive(shipped["policy"], loss) < made.threshold  # cheaper, and proven by nothing


@pytest.mark.long
def test_a_thousand_resplits():
    """Calibrated on one half of the 20,000 images that the network never saw, judged on the other."""
    resplits = benchmark.Resplits(benchmark.unseen(), 1000)
    for promise in benchmark.PROMISES:
        found = resplits.judged(promise, 0.1)
        assert found["betting bound"]["broken"] <= 0.1
        assert found["betting bound"]["broken_on_all_images"] <= 0.1
        assert found["no bound"]["broken"] > 0.3
        assert found["betting bound"]["cost_share"] < found["Hoeffding-Bentkus"]["cost_share"]


def test_a_resplit_is_what_certify_does():
    """On the same images in the same order, rule by rule."""
    seen = benchmark.unseen()
    resplits = benchmark.Resplits(seen, 1, seed=3)
    half = np.random.default_rng(3).permutation(len(seen.right))[: resplits.size]
    mine = dataclasses.replace(seen, probability=seen.probability[half], right=seen.right[half])
    passed = bound.passing(mine.blocks(), 0.01, 0.1)
    others = np.setdiff1d(np.arange(len(seen.right)), half)
    rest = dataclasses.replace(seen, probability=seen.probability[others], right=seen.right[others])
    reached = rest.outcome(int(evidence.THRESHOLDS[passed - 1]))
    found = resplits.judged(0.01, 0.1)["betting bound"]
    assert found["cost_share"] == pytest.approx(reached["cost_share"], rel=1e-5)
    assert found["loss"] == pytest.approx(reached["accuracy_loss"], abs=1e-6)


def test_the_rule_is_what_it_says(shipped):
    """Stops at the first exit whose softmax is at least the threshold; costs and losses counted one by one."""
    table, few = load_table(), slice(0, 300)
    logits = table.logits(table.rows(TEST)[few]).astype(np.float64)
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p = (p / p.sum(-1, keepdims=True)).max(-1)
    np.testing.assert_allclose(shipped["test"].probability[few] / 65536, p, atol=2e-4)
    threshold = 55000
    some = dataclasses.replace(
        shipped["test"], probability=shipped["test"].probability[few], right=shipped["test"].right[few]
    )
    exits = [next((k for k in range(3) if row[k] >= threshold), 3) for row in some.probability]
    assert some.exits(np.array([threshold]))[0].tolist() == exits
    lost = [int(right[3]) - int(right[k]) for right, k in zip(some.right, exits, strict=True)]
    assert some.losses(np.array([threshold]))[0].tolist() == lost
    outcome = some.outcome(threshold)
    assert outcome["accuracy_loss"] == pytest.approx(np.mean(lost))
    assert outcome["cost_share"] == pytest.approx(np.mean(table.macs[exits]) / table.macs[3])


def test_images_sorted_by_class_prove_as_much(shipped):
    """In the file's order the mean would seem to change: the order is drawn."""
    seen = shipped["policy"]
    order = np.argsort(seen.losses(np.array([50_000]))[0], kind="stable")
    ordered = dataclasses.replace(seen, probability=seen.probability[order], right=seen.right[order])
    assert abs(certify(ordered, 0.01, 0.1).cost_share - certify(seen, 0.01, 0.1).cost_share) < 0.02


@pytest.mark.parametrize("value", [0, 1, -0.1, float("nan"), float("inf"), True, "0.01", None])
def test_what_is_no_loss_is_one_line(shipped, value):
    with pytest.raises(UserError, match=r"loss is .* expected a number from 0.0001 to 0.5"):
        certify(shipped["policy"], value, 0.1)


@pytest.mark.parametrize("value", [0, 1, float("nan"), None])
def test_what_is_no_delta_is_one_line(shipped, value):
    with pytest.raises(UserError, match=r"delta is .* expected a number from 1e-06 to 0.5"):
        certify(shipped["policy"], 0.01, value)


def test_too_few_images_prove_nothing(shipped):
    few = dataclasses.replace(
        shipped["policy"], probability=shipped["policy"].probability[:200], right=shipped["policy"].right[:200]
    )
    with pytest.raises(UserError, match="on 200 images: it takes 311 even without a single loss"):
        certify(few, 0.01, 0.1)


def test_a_table_without_a_policy_split(promise_table):
    table = load_table(promise_table)
    none = dataclasses.replace(table, split=np.where(table.split == POLICY, FIT, table.split).astype(np.uint8))
    with pytest.raises(UserError, match="no images of the split 'policy'"):
        kept.calibrated(none, 0.02, 0.1)


def test_a_table_without_test_images_or_macs(promise_table):
    table = load_table(promise_table)
    timed = dataclasses.replace(
        table, split=np.full_like(table.split, POLICY), macs=None, latency_ms=np.array([1.0, 2.0, 3.0, 4.0])
    )
    found = kept.calibrated(timed, 0.02, 0.1)
    assert found["test"] is None
    assert found["certificate"]["cost"] == "latency"


@pytest.mark.long
def test_few_images_are_told(capsys, tmp_path, promise_settings):
    save_table(tmp_path / "few.npz", synthetic_table(images=2000, classes=20))
    train("early-exit", [f"table={tmp_path / 'few.npz'}", *promise_settings, "promise.loss=0.01"], tmp_path / "run")
    note = "calibrated on 1,000 images: the promise holds, but so few leave it dear"
    assert note in capsys.readouterr().err
    assert note in json.loads((tmp_path / "run" / kept.FILE).read_text())["notes"][0]


def test_what_cannot_be_promised_is_told_before_training(tmp_path, promise_settings):
    save_table(tmp_path / "few.npz", synthetic_table(images=300, classes=20))
    with pytest.raises(UserError, match="on 150 images: it takes 311"):
        train("early-exit", [f"table={tmp_path / 'few.npz'}", *promise_settings, "promise.loss=0.01"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_command(promising_run, tmp_path, capsys):
    mine = shutil.copytree(promising_run, tmp_path / "run")
    assert cli.main(["certify", str(mine), "--loss", "0.03", "--delta", "0.05", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((mine / kept.FILE).read_text())
    assert (found["certificate"]["loss"], found["certificate"]["delta"]) == (0.03, 0.05)
    assert found["test"]["naive"]["cost_share"] < found["test"]["certified"]["cost_share"] < 1
    assert cli.main(["certify", str(mine), "--loss", "0.03"]) == 0
    assert "exchangeable" in capsys.readouterr().out
    assert cli.main(["certify", str(mine), "--loss", "3"]) == 2
    assert capsys.readouterr().err == (
        "edgerl certify: loss is 3.0, expected a number from 0.0001 to 0.5; 0.01 is one point of accuracy\n"
    )
    assert json.loads((mine / kept.FILE).read_text())["certificate"]["loss"] == 0.03


@pytest.mark.long
def test_other_runs_have_nothing_to_certify(tmp_path, capsys):
    few = ["num_seeds=1", "ppo.num_updates=1", "evaluation_envs=4", "evaluation_steps=4"]
    train("cartpole", few, tmp_path / "pole")
    assert cli.main(["certify", str(tmp_path / "pole"), "--loss", "0.01"]) == 2
    assert "only early-exit runs can be certified" in capsys.readouterr().err
    assert not (tmp_path / "pole" / kept.FILE).exists()


@pytest.mark.long
def test_a_figure(promising_run):
    assert "promise.png" in {path.name for path in open_run(promising_run).figures()}


def test_numbers_of_another_machine_may_differ_in_their_last_bits(shipped):
    said = dataclasses.asdict(certify(shipped["policy"], 0.02, 0.1))
    said["bound"] *= 1 + 1e-12
    assert certificate.read(said, shipped["policy"]).bound == said["bound"]
