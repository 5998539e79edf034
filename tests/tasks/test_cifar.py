import dataclasses
import sys

import numpy as np
import pytest
from variants import seldom

from edgerl import UserError, cli
from edgerl.tasks import cifar


@pytest.fixture
def small(monkeypatch):
    """The official layouts with files of 6 training and 4 test rows."""
    layouts = {name: dataclasses.replace(layout, rows_per_file=(6, 4)) for name, layout in cifar.LAYOUTS.items()}
    monkeypatch.setattr(cifar, "LAYOUTS", layouts)
    return layouts


def write(folder, layout, seed=0):
    """Random official files; returns their rows, training rows first."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    written = []
    for names, count in zip((layout.train, layout.test), layout.rows_per_file, strict=True):
        for name in names:
            rows = rng.integers(0, 256, (count, layout.label_bytes + cifar.PIXELS)).astype(np.uint8)
            rows[:, : layout.label_bytes] %= layout.classes
            rows.tofile(folder / name)
            written.append(rows)
    return np.concatenate(written)


@pytest.mark.parametrize(("name", "train_rows"), [("cifar10", 30), ("cifar100", 6)])
@pytest.mark.parametrize("inside", [False, True])
def test_reads_the_official_files(tmp_path, small, name, train_rows, inside):
    layout = small[name]
    rows = write(tmp_path / layout.folder if inside else tmp_path, layout)
    images, labels, train = cifar.read_cifar(name, tmp_path)
    assert train == train_rows
    assert images.shape == (train_rows + 4, 32, 32, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(labels, rows[:, layout.label_bytes - 1])
    # The file has all of red, then green, then blue, row by row.
    assert images[5, 3, 7, 2] == rows[5, layout.label_bytes + 2 * 1024 + 3 * 32 + 7]


def test_classes_are_called_as_the_file_beside_the_images_has_it(tmp_path):
    assert cifar.class_names("cifar10", tmp_path) is None
    (tmp_path / "batches.meta.txt").write_text("one_two\n" + "x\n" * 9 + "\n")
    assert cifar.class_names("cifar10", tmp_path) == ["one two", *"x" * 9]
    (tmp_path / "batches.meta.txt").write_text("x\n" * 9)
    assert cifar.class_names("cifar10", tmp_path) is None


def test_fine_labels_are_the_second_byte():
    assert cifar.LAYOUTS["cifar100"].label_bytes == 2
    assert cifar.LAYOUTS["cifar100"].rows_per_file == (50_000, 10_000)


@pytest.mark.parametrize("cut", [1, 3074, -1])
def test_a_file_of_the_wrong_size_is_one_clear_line(tmp_path, small, cut):
    write(tmp_path, small["cifar100"])
    path = tmp_path / "test.bin"
    data = path.read_bytes()
    path.write_bytes(data[:-cut] if cut > 0 else data + b"0")
    with pytest.raises(UserError, match=r"test.bin has \d+ bytes instead of 12296") as error:
        cifar.read_cifar("cifar100", tmp_path)
    assert "\n" not in str(error.value)


def test_a_missing_folder_or_file(tmp_path, small):
    with pytest.raises(UserError, match=r"cannot read .*train.bin"):
        cifar.read_cifar("cifar100", tmp_path / "nowhere")


def test_a_label_out_of_range(tmp_path, small):
    write(tmp_path, small["cifar100"])
    path = tmp_path / "train.bin"
    data = bytearray(path.read_bytes())
    data[1] = 100
    path.write_bytes(data)
    with pytest.raises(UserError, match="label 100"):
        cifar.read_cifar("cifar100", tmp_path)


def test_what_is_there_instead_is_named(tmp_path, small):
    """The other data set, the Python version, what is still packed, a file in place of a folder."""
    folders = {name: tmp_path / name for name in ("other", "python", "packed", "empty")}
    write(folders["other"], small["cifar10"])
    for folder, file in (("python", "train"), ("packed", "cifar-100-binary.tar.gz"), ("empty", "note.txt")):
        folders[folder].mkdir()
        (folders[folder] / file).write_bytes(b"")
    folders["file"] = folders["packed"] / "cifar-100-binary.tar.gz"
    said = {
        "other": "holds CIFAR-10$",
        "python": r"holds the Python version \(train\)$",
        "packed": "cifar-100-binary.tar.gz is there: unpack it$",
        "empty": "a folder with train.bin and test.bin$",
        "file": "is a file: unpack it and give the folder$",
    }
    for name, folder in folders.items():
        with pytest.raises(UserError, match=rf"official binary version of CIFAR-100.*{said[name]}") as error:
            cifar.read_cifar("cifar100", folder)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="CIFAR-100"):
        cifar.read_cifar("cifar100", "a\0b")


def test_rows_of_zeros_are_damage(tmp_path, small):
    """As a copy that broke off leaves them on some file systems."""
    write(tmp_path, small["cifar100"])
    path = tmp_path / "train.bin"
    path.write_bytes(path.read_bytes()[: 2 * 3074] + bytes(4 * 3074))
    with pytest.raises(UserError, match=r"train.bin is damaged: row 2 holds zeros alone, and 3 others do"):
        cifar.read_cifar("cifar100", tmp_path)


class Unreachable:
    """A tensorflow_datasets that fails as the real one does without a network, or with a part of it missing."""

    def __init__(self, error):
        self.error = error

    def load(self, name, split):
        print("Downloading and preparing dataset")
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'importlib_resources'"),
        ConnectionError("no route\nto host"),
        OSError(28, "full"),
    ],
)
def test_images_that_cannot_be_fetched_are_one_clear_line(monkeypatch, error, capsys):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", Unreachable(error))
    said = r"CIFAR-10 is not here, and tensorflow-datasets cannot fetch it \(.*\): give .* --data DIR, a folder with"
    with pytest.raises(UserError, match=said) as caught:
        cifar.read_cifar("cifar10")
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def test_without_tensorflow_datasets_the_folder_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match=r"CIFAR-100 is not here, .*is not installed: give .* --data DIR"):
        cifar.read_cifar("cifar100")


@pytest.mark.parametrize(
    "command",
    [
        ("train", "agent-vit", "--out", "{out}"),
        ("logits", "build", "--out", "{out}"),
    ],
)
def test_commands_without_images_say_so_and_leave_nothing(command, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", Unreachable(ConnectionError("no route to host")))
    assert cli.main([word.format(out=tmp_path / "out") for word in command]) == 2
    said = capsys.readouterr()
    assert "--data DIR" in said.err
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*seldom("cifar10"), "cifar100"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_tensorflow_datasets_come_back_in_the_official_order(name, tmp_path):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def as_dataset(self, split, *args, **kwargs):
        count = {"train": 12, "test": 5}[split]
        order = np.random.default_rng(1).permutation(count)  # as on disk: shuffled
        rows = {
            "id": [f"{split}_{i:05d}" for i in order],
            "image": np.stack([np.full((32, 32, 3), i, np.uint8) for i in order]),
            "label": order.astype(np.int64),
        }
        return tf.data.Dataset.from_tensor_slices(rows)

    with tfds.testing.mock_data(as_dataset_fn=as_dataset, data_dir=tmp_path):
        images, labels, train = cifar.read_cifar(name)
    assert train == 12
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, [*range(12), *range(5)])
    np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
