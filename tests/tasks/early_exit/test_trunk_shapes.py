"""Trunks of other shapes than the one that ships: MLPerf Tiny's ResNet-8, and its way to integers and to a table."""

from pathlib import Path

import jax
import numpy as np
import pytest

from edgerl import UserError, cli
from edgerl.deploy import graph as networks
from edgerl.tasks.early_exit.export.cascade import weights_of
from edgerl.tasks.early_exit.trunk import int8
from edgerl.tasks.early_exit.trunk.config import TrainConfig
from edgerl.tasks.early_exit.trunk.data import normalise
from edgerl.tasks.early_exit.trunk.model import Trunk, TrunkConfig, exit_macs, head_channels, predict
from edgerl.tasks.early_exit.trunk.train import train
from edgerl.tasks.early_exit.trunk.weights import load_weights, save_weights, stored
from edgerl.util import config as configuration
from edgerl.util.files import read_npz, write_npz

pytestmark = pytest.mark.usefixtures("quick_compile")

RESNET8 = Path(__file__).parents[3] / "examples" / "resnet8.yaml"
SMALL = TrunkConfig(width=2, classes=3, head_width=2, stages=3, blocks=1, head_stride=4, dataset="cifar10")


@pytest.fixture(scope="module")
def resnet8() -> TrunkConfig:
    return configuration.load(TrainConfig, str(RESNET8), []).trunk


@pytest.fixture(scope="module")
def variables():
    """Of `SMALL`; batch normalisation's statistics are unlike 0 and 1."""
    made = jax.jit(Trunk(SMALL).init)(jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32))
    rng = np.random.default_rng(0)
    statistics = jax.tree.map(lambda x: rng.uniform(0.5, 1.5, x.shape).astype(np.float32), made["batch_stats"])
    return {"params": made["params"], "batch_stats": statistics}


def backbone_macs(width: int) -> int:
    """Of MLPerf Tiny's ResNet-8: a stem, three stages of one block whose last two halve the side, a classifier."""
    stem, first = 32**2 * 27 * width, 32**2 * 2 * 9 * width**2
    later = [
        side**2 * (9 * inside * 2 * inside + 9 * (2 * inside) ** 2 + inside * 2 * inside)
        for side, inside in ((16, width), (8, 2 * width))
    ]
    return stem + first + sum(later) + 4 * width * 10


def test_the_example_is_the_resnet8_of_mlperf_tiny(resnet8):
    """12.5 M multiply-accumulates and 78 k parameters, without what the early exits add, which is counted besides."""
    macs = exit_macs(resnet8)
    heads = 8**2 * 9 * 16 * 32 + 4**2 * 9 * 32 * 96 + 96 * 10, 4**2 * 9 * 32 * 96 + 96 * 10
    assert backbone_macs(16) == 12_501_632
    assert macs[-1] == backbone_macs(16) + sum(heads)
    assert [head_channels(resnet8, i) for i in range(3)] == [(32, 96), (96,), ()]
    assert (macs[:2] / macs[-1] < [0.45, 0.75]).all()
    shapes = jax.eval_shape(Trunk(resnet8).init, jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32))
    kept = {name: part for name, part in shapes["params"].items() if name not in ("heads_0", "heads_1")}
    assert sum(x.size for x in jax.tree.leaves(kept)) == 78_042
    assert resnet8.dataset == "cifar10"


def test_folding_keeps_the_function_and_the_cost(variables):
    network, ends = int8.fold(SMALL, variables)
    images = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    values = networks.values(network, np.asarray(normalise(images)))
    heads = network.parts(ends)[1::2]
    made = np.stack([np.asarray(values[head.output])[:, 0, 0] for head in heads], axis=1)
    np.testing.assert_allclose(made, predict(Trunk(SMALL), variables, images), rtol=1e-4, atol=1e-4)
    assert made.shape == (4, 3, 3)
    costs = np.array([part.macs() for part in network.parts(ends)]).reshape(-1, 2).sum(1).cumsum()
    np.testing.assert_array_equal(costs, exit_macs(SMALL))


def test_weights_carry_their_shape(variables, tmp_path):
    path = tmp_path / "weights.npz"
    save_weights(path, SMALL, variables)
    config, loaded = load_weights(path)
    assert config == SMALL
    jax.tree.map(np.testing.assert_array_equal, loaded, stored(variables))
    write_npz(path, read_npz(path) | {"config": '{"width": 2, "classes": 3, "head_width": 2}'})
    with pytest.raises(UserError, match="this configuration needs"):
        load_weights(path)


def test_the_shipped_weights_have_the_shape_that_is_the_default():
    assert load_weights(weights_of(None))[0] == TrunkConfig()


@pytest.mark.long
def test_two_stages_train_and_then_their_early_head(blobs, tmp_path):
    settings = {
        "trunk": {"width": 2, "classes": 3, "head_width": 2, "stages": 2, "blocks": 1, "head_stride": 4},
        "epochs": 1,
        "head_epochs": 1,
        "small_epochs": 0,
        "batch": 32,
        "decay_epochs": 1,
    }
    lines: list[str] = []
    _, summary = train(configuration.build(TrainConfig, settings), blobs, tmp_path / "run", lines.append)
    assert len(summary["policy_accuracy"]) == 2
    assert len(lines) == 2
    assert "accuracy_1" in (tmp_path / "run" / "log.csv").read_text()
    assert "accuracy_2" not in (tmp_path / "run" / "log.csv").read_text()


def test_a_network_of_other_classes_than_its_images_is_one_clear_line(tmp_path, capsys):
    command = ["logits", "build", "--set", "trunk.dataset=cifar10", "--out", str(tmp_path / "trunk")]
    assert cli.main(command) == 2
    assert capsys.readouterr().err.count("trunk.classes is 100, but CIFAR-10 has 10 classes\n") == 1
    assert not (tmp_path / "trunk").exists()
