from pathlib import Path

import numpy as np
import pytest
from synthetic import synthetic_table
from whole_way import train

from edgerl.tasks.early_exit.table.table import Table, quantise, save_table
from edgerl.tasks.early_exit.trunk.data import FIT, POLICY, TEST, Dataset


@pytest.fixture(scope="module")
def blobs() -> Dataset:
    """Images of 3 classes that differ in colour: 96 to fit, 24 for the policy, 24 to test."""
    rng = np.random.default_rng(0)
    labels = np.arange(144, dtype=np.int32) % 3
    images = rng.integers(0, 120, (144, 32, 32, 3)) + 120 * (np.arange(3) == labels[:, None])[:, None, None]
    split = np.repeat(np.array([FIT, POLICY, TEST], np.uint8), (96, 24, 24))
    return Dataset(images.astype(np.uint8), labels, split)


@pytest.fixture
def table() -> Table:
    """60 images, 3 exits, 5 classes; later exits are surer and better."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 60).astype(np.int32)
    signal = np.array([1.0, 2.0, 4.0])[:, None] * (np.arange(5) == labels[:, None, None])
    logits_q, scale = quantise((rng.normal(size=(60, 3, 5)) + signal).astype(np.float32))
    split = np.repeat(np.array([FIT, POLICY, TEST], np.uint8), 20)
    macs = np.array([1e6, 3e6, 6e6])
    return Table(logits_q, scale, labels, split, np.array([1.0, 1.5, 0.5], np.float32), macs, None, {"note": "made up"})


@pytest.fixture(scope="session")
def promise_settings() -> list[str]:
    """Of a training that takes no time: a promise depends on the table alone."""
    return ["num_seeds=1", "front=0", "evaluation_envs=64", "ppo.num_updates=2", "ppo.num_envs=64"]


@pytest.fixture(scope="session")
def promise_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4,000 images to calibrate on, as many to test."""
    path = tmp_path_factory.mktemp("table") / "table.npz"
    save_table(path, synthetic_table(images=8000, classes=20))
    return path


@pytest.fixture(scope="session")
def promising_run(promise_table: Path, promise_settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that promises to lose at most 2 points."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    train("early-exit", [f"table={promise_table}", *promise_settings, "promise.loss=0.02"], folder)
    return folder
