"""`edgerl logits build` on a few images of our own: writes the table and says what to do next."""

import dataclasses
import json

import numpy as np

from edgerl import cli
from edgerl.tasks import cifar
from edgerl.tasks.early_exit.table import logits
from edgerl.tasks.early_exit.table.table import Table, load_table, save_table
from edgerl.tasks.early_exit.trunk import train as train_trunk

SMALL = [
    "trunk.width=2",
    "trunk.head_width=1",
    "epochs=1",
    "head_epochs=0",
    "small_epochs=0",
    "decay_epochs=1",
    "batch=16",
]


def write_cifar100(folder):
    """Official binary files, but with 80 training and 40 test images: coarse label, fine label, 3072 bytes."""
    rng = np.random.default_rng(0)
    for name, count in (("train.bin", 80), ("test.bin", 40)):
        rows = rng.integers(0, 256, (count, 3074), np.uint8)
        rows[:, 0], rows[:, 1] = rng.integers(0, 20, count), rng.integers(0, 100, count)
        (folder / name).write_bytes(rows.tobytes())


def answer(run, data, table_path, weights_path, command):
    """In place of the training and of the network's answers, which have tests of their own and compile for long."""
    answers = np.random.default_rng(0).integers(-127, 128, (len(data.labels), 4, 100)).astype(np.int8)
    scale, temperatures = np.ones(answers.shape[:2], np.float32), np.ones(4, np.float32)
    table = Table(
        answers, scale, data.labels, data.split, temperatures, np.arange(1.0, 5), provenance={"from": command}
    )
    save_table(table_path, table)
    return table


def test_build(tmp_path, capsys, monkeypatch):
    layout = dataclasses.replace(cifar.LAYOUTS["cifar100"], rows_per_file=(80, 40))
    monkeypatch.setitem(cifar.LAYOUTS, "cifar100", layout)
    trained = []
    monkeypatch.setattr(train_trunk, "train", lambda config, data, folder, report: trained.append(config))
    monkeypatch.setattr(logits, "build_table", answer)
    write_cifar100(tmp_path)
    command = ["logits", "build", "--data", str(tmp_path), "--set", *SMALL, "--out", str(tmp_path / "trunk"), "--json"]
    assert cli.main(command) == 0
    said = json.loads(capsys.readouterr().out)
    table = load_table(said["table"])
    assert table.logits_q.shape == (120, 4, 100)
    assert said["test_images"] == 40
    assert trained[0].trunk.width == 2
    assert "trunk.width=2" in table.provenance["from"]
    assert cli.main(command) == 2
    assert "exists" in capsys.readouterr().err


def test_data_that_is_not_there(tmp_path, capsys):
    assert cli.main(["logits", "build", "--data", str(tmp_path), "--out", str(tmp_path / "trunk")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "train.bin" in error
