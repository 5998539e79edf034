"""`edgerl logits build` on a few images of our own: writes the table and says what to do next."""

import dataclasses
import json

import numpy as np

from edgerl import cli
from edgerl.core import cifar
from edgerl.core.checkpoint import open_checkpoints
from edgerl.core.config import as_dict
from edgerl.core.files import write_json
from edgerl.systems.early_exit import train_trunk
from edgerl.systems.early_exit.table import load_table

SMALL = ["trunk.width=2", "trunk.head_width=1", "epochs=1", "small_epochs=0", "decay_epochs=1", "batch=16"]


def write_cifar100(folder):
    """Official binary files, but with 80 training and 40 test images: coarse label, fine label, 3072 bytes."""
    rng = np.random.default_rng(0)
    for name, count in (("train.bin", 80), ("test.bin", 40)):
        rows = rng.integers(0, 256, (count, 3074), np.uint8)
        rows[:, 0], rows[:, 1] = rng.integers(0, 20, count), rng.integers(0, 100, count)
        (folder / name).write_bytes(rows.tobytes())


def write_untrained(config, data, folder, report):
    """In place of the training, which has tests of its own and compiles for long: its first state as its last."""
    write_json(folder / train_trunk.CONFIG_FILE, as_dict(config))
    with open_checkpoints(folder / train_trunk.CHECKPOINTS) as checkpoints:
        checkpoints.save(config.epochs, train_trunk.init_state(config, 1))


def test_build(tmp_path, capsys, monkeypatch):
    layout = dataclasses.replace(cifar.LAYOUTS["cifar100"], rows_per_file=(80, 40))
    monkeypatch.setitem(cifar.LAYOUTS, "cifar100", layout)
    monkeypatch.setattr(train_trunk, "train", write_untrained)
    write_cifar100(tmp_path)
    command = ["logits", "build", "--data", str(tmp_path), "--set", *SMALL, "--out", str(tmp_path / "trunk"), "--json"]
    assert cli.main(command) == 0
    said = json.loads(capsys.readouterr().out)
    table = load_table(said["table"])
    assert table.logits_q.shape == (120, 4, 100)
    assert said["test_images"] == 40
    assert "trunk.width=2" in table.provenance["command"]
    assert cli.main(command) == 2
    assert "exists" in capsys.readouterr().err


def test_data_that_is_not_there(tmp_path, capsys):
    assert cli.main(["logits", "build", "--data", str(tmp_path), "--out", str(tmp_path / "trunk")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "train.bin" in error
