import dataclasses

import numpy as np
import pytest

from edgerl import UserError
from edgerl.core import cifar


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


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
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
