"""The whole early-exit network as C: folded, quantised, exported with its policy, verified, refused where it must."""

import hashlib
import json
import re
import shutil

import jax
import numpy as np
import pytest
from boards import answers, arduino, esp_idf
from whole_way import train

from edgerl import UserError, cli, deploy, open_run
from edgerl.deploy import graph as networks
from edgerl.deploy import names, toolchain
from edgerl.tasks.early_exit.export import cascade, cascade_checks, cascade_files
from edgerl.tasks.early_exit.table.table import Table, quantise, save_table
from edgerl.tasks.early_exit.trunk import int8 as trunk_int8
from edgerl.tasks.early_exit.trunk.data import FIT, POLICY, TEST, Dataset, normalise
from edgerl.tasks.early_exit.trunk.model import Trunk, TrunkConfig, exit_macs, predict
from edgerl.tasks.early_exit.trunk.weights import load_weights, save_weights
from edgerl.util import files

FAST = toolchain.Target("host C, unoptimised", "cc")
CONFIG = TrunkConfig(width=4, classes=5, head_width=3)
SMALL = ["num_seeds=1", "front=0", "evaluation_envs=64", "ppo.num_updates=2", "ppo.num_envs=64", "profile=high_power"]

QUICK = ("host C", "rv32imc")  # of the machines that run the C


# There are many small convolutions, run on few images.
pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.fixture(scope="module")
def dataset():
    """Noise: 40 images to fit, 40 for the policy, 60 to test."""
    rng = np.random.default_rng(0)
    split = np.repeat(np.array([FIT, POLICY, TEST], np.uint8), (40, 40, 60))
    images = rng.integers(0, 256, (140, 32, 32, 3)) * rng.uniform(0.3, 1, (140, 1, 1, 3))
    return Dataset(images.astype(np.uint8), rng.integers(0, 5, 140).astype(np.int32), split)


@pytest.fixture(scope="module")
def variables():
    """Random weights, and statistics of batch normalisation as a training leaves them: unlike 0 and 1."""
    shapes = jax.eval_shape(Trunk(CONFIG).init, jax.random.key(0), jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32))
    rng = np.random.default_rng(1)

    def draw(path, leaf):
        name = path[-1].key
        if name == "kernel":
            return rng.normal(size=leaf.shape) * np.sqrt(2 / np.prod(leaf.shape[:-1]))
        return rng.uniform(0.5, 2, leaf.shape) if name in ("var", "scale") else 0.3 * rng.normal(size=leaf.shape)

    return jax.tree_util.tree_map_with_path(lambda path, leaf: draw(path, leaf).astype(np.float32), shapes)


@pytest.fixture(scope="module")
def run(tmp_path_factory, dataset, variables):
    """A run on the table of that network, whose weights lie beside the table."""
    folder = tmp_path_factory.mktemp("network")
    save_weights(folder / "weights.npz", CONFIG, variables)
    logits_q, scale = quantise(predict(Trunk(CONFIG), load_weights(folder / "weights.npz")[1], dataset.images))
    macs = exit_macs(CONFIG).astype(np.float64)
    table = Table(logits_q, scale, dataset.labels, dataset.split, np.ones(4, np.float32), macs)
    save_table(folder / "table.npz", table)
    train("early-exit", [f"table={folder / 'table.npz'}", *SMALL], folder / "run")
    return folder / "run"


def test_folding_keeps_the_function(dataset, variables):
    network, ends = trunk_int8.fold(CONFIG, variables)
    images = dataset.images[:6]
    values = networks.values(network, np.asarray(normalise(images)))
    heads = network.parts(ends)[1::2]
    made = np.stack([np.asarray(values[head.output])[:, 0, 0] for head in heads], axis=1)
    np.testing.assert_allclose(made, predict(Trunk(CONFIG), variables, images), rtol=1e-4, atol=1e-4)
    macs = np.array([part.macs() for part in network.parts(ends)]).reshape(-1, 2).sum(1).cumsum()
    np.testing.assert_array_equal(macs, exit_macs(CONFIG))


def test_pixels_become_what_the_network_was_calibrated_for(dataset, variables):
    trunk = trunk_int8.quantise(CONFIG, variables, dataset.images[:10])
    quantisation = trunk.network.tensors[0].q
    values = (trunk.pixels.astype(np.float64) - quantisation.zero_point) * quantisation.scale
    images = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (256, 3))
    np.testing.assert_allclose(values.T, np.asarray(normalise(images)), atol=0.51 * quantisation.scale)
    assert (trunk.pixels.min(), trunk.pixels.max()) == (-128, 127)


@pytest.mark.long
def test_the_folder_is_verified(run, dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cascade, "load_images", lambda name, data: dataset)
    folder = tmp_path / "chip"
    assert cli.main(["export", str(run), "--cascade", "--name", "pole", "--out", str(folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    judged = report["cascade"]
    assert report == files.read_json(folder / "report.json")
    assert judged["passed"]
    ends = ("_network.c", "_cascade.c", "_exits.c", ".c", "_stage_0.tflite", "_head_3.tflite")
    expected_files = {f"pole{end}" for end in ends}
    assert expected_files <= set(report["files"])
    assert expected_files <= {path.name for path in folder.iterdir()}
    results = {check["name"]: check for check in judged["checks"]}
    assert results["decisions, host C"]["images"] == 60
    for name, check in results.items():
        expected = None if "rv32imc" in name and toolchain.RV32.missing() else True
        assert check["passed"] is expected, check
    assert min(judged["exits"]["agreement"]) > 0.8
    if toolchain.RV32.missing() is None:
        assert judged["size"]["flash"] < 250_000
        assert 4 * 32 * 32 * 3 <= judged["size"]["arena"] < judged["size"]["ram"] < 40_000
    check_examples(folder, dataset.images[:5], tmp_path)
    check_self_tests(folder)


def check_examples(folder, images, out):
    """The programs for boards answer as the network that was compared with JAX."""
    lines = "".join(f"image: [{' '.join(map(str, image.ravel()))}]\n" for image in images)
    said = [answers(program, lines)[2:] for program in (arduino(folder, out), esp_idf(folder / "esp_idf", out))]
    assert said[0] == said[1]
    found = np.array([re.fullmatch(r"class: (\d+) exit: (\d+)", line).groups() for line in said[0]], np.int32)
    assert cascade_checks.decisions_differ(FAST, folder, "pole", images, found[:, ::-1]) == 0


def check_self_tests(folder):
    """`verify` runs the network's and the features' own tests, and sees a changed one."""
    targets = (*QUICK, "Cortex-M4F")
    verified = {check["name"]: check for check in deploy.verify(folder, num_vectors=100, targets=targets)["checks"]}
    assert verified["self-tests, host C"]["passed"]
    assert "pole_cascade_self_test and pole_exits_self_test" in verified["self-tests, host C"]["detail"]
    assert verified["self-tests, rv32imc"]["passed"] is (None if toolchain.RV32.missing() else True)
    cortex = toolchain.missing("arm-none-eabi-gcc", "qemu-system-arm")
    assert verified["self-tests, Cortex-M4F"]["passed"] is (None if cortex else True)
    path, report = folder / "pole_cascade.c", files.read_json(folder / "report.json")
    text = path.read_text()
    start = text.index("{", text.index("test_answers["))
    digit = re.search(r"\d", text[start:]).start() + start
    path.write_text(text[:digit] + str((int(text[digit]) + 1) % 10) + text[digit + 1 :])
    report["files"]["pole_cascade.c"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "report.json").write_text(json.dumps(report))
    wrong = {check["name"]: check for check in deploy.verify(folder, num_vectors=100, targets=QUICK)["checks"]}
    assert wrong["files"]["passed"]
    assert "pole_cascade.c" in wrong["generated files"]["detail"]
    assert wrong["self-tests, host C"]["passed"] is False
    assert "pole.c" not in wrong["host C"]["detail"]


def test_a_wrong_weight_is_found(dataset, variables, tmp_path):
    """The parts' check fails where the C is not that of the network."""
    trunk = trunk_int8.quantise(CONFIG, variables, dataset.images[:10])
    for name, content in cascade_files.contents(trunk, names.words("eye", "0" * 64)).items():
        (tmp_path / name).write_bytes(content)
    few = dataset.images[:3]
    expected = trunk.outputs(few)
    assert cascade_checks.parts_differ(FAST, tmp_path, "eye", trunk, few, expected) == 0
    text = (tmp_path / "eye_network.c").read_text()
    start = text.index("bias_0[") + 30
    at = text.index("{", start - 30) + 1
    (tmp_path / "eye_network.c").write_text(text[:at] + "\n    99999" + text[text.index(",", at) :])
    assert cascade_checks.parts_differ(FAST, tmp_path, "eye", trunk, few, expected) == 3


def test_what_does_not_belong_together_is_refused(run, dataset, variables, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cascade, "load_images", lambda name, data: dataset)
    out = tmp_path / "chip"
    weights = run.parent / "weights.npz"
    kept = weights.read_bytes()
    try:
        save_weights(weights, CONFIG, jax.tree.map(lambda x: -x if x.ndim == 2 else x, variables))
        with pytest.raises(UserError, match="not the network of the run's table"):
            open_run(run).export(out, cascade=True)
        weights.unlink()
        with pytest.raises(UserError, match="lie beside its table"):
            open_run(run).export(out, cascade=True)
    finally:
        weights.write_bytes(kept)
    other = Dataset(dataset.images, 4 - dataset.labels, dataset.split)
    monkeypatch.setattr(cascade, "load_images", lambda name, data: other)
    with pytest.raises(UserError, match="test labels differ"):
        open_run(run).export(out, cascade=True)
    foreign = tmp_path / "pole"
    shutil.copytree(run, foreign)
    files.write_json(foreign / "run.json", {"system": "cartpole", "environment": "CartPole-v1"})
    assert cli.main(["export", str(foreign), "--cascade", "--out", str(out)]) == 2
    assert "no early-exit run" in capsys.readouterr().err
    assert cli.main(["export", str(run), "--out", str(out), "--data", "x"]) == 2
    assert "--cascade" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.long
def test_a_promise_is_calibrated_on_what_the_int8_network_answers(run, dataset, tmp_path, monkeypatch):
    """Not on the float network's logits, of which the run's certificate is."""
    monkeypatch.setattr(cascade, "load_images", lambda name, data: dataset)
    mine = shutil.copytree(run, tmp_path / "run")
    of_run = open_run(mine).certify(loss=0.5, delta=0.5)["certificate"]
    report = open_run(mine).export(tmp_path / "chip", cascade=True)
    of_chip = report["extra"]["exits"]["certificate"]
    assert {name: of_chip[name] for name in ("loss", "delta", "images")} == {"loss": 0.5, "delta": 0.5, "images": 40}
    assert of_chip["evidence"] != of_run["evidence"]
    assert of_chip["evidence"] in (tmp_path / "chip" / "policy_exits.h").read_text()
    checks = {check["name"]: check for check in report["cascade"]["checks"]}
    assert checks["decisions, host C"]["passed"]
    verified = deploy.verify(tmp_path / "chip", num_vectors=16, targets=["host C"])
    assert verified["passed"]
