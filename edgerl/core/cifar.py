"""CIFAR-10 and CIFAR-100 from the official binary files, or through tensorflow-datasets."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.core.errors import UserError

PIXELS = 3 * 32 * 32


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where one data set's rows are. A row is `label_bytes` labels (the last one counts), then `PIXELS` bytes."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    rows_per_file: tuple[int, int]  # train, test
    label_bytes: int
    classes: int


LAYOUTS = {
    "cifar10": Layout(
        "cifar-10-batches-bin",
        tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        ("test_batch.bin",),
        (10_000, 10_000),
        label_bytes=1,
        classes=10,
    ),
    "cifar100": Layout("cifar-100-binary", ("train.bin",), ("test.bin",), (50_000, 10_000), label_bytes=2, classes=100),
}


def read_cifar(name: str, folder: str | Path | None = None) -> tuple[np.ndarray, np.ndarray, int]:
    """All images of a data set: the training images first, then the test images, both in the official order.

    Args:
      name: "cifar10" or "cifar100" (fine labels).
      folder: holds the official binary files, or the folder that their archive unpacks to; None uses
        tensorflow-datasets, which downloads them once.
    Returns:
      images uint8 [N, 32, 32, 3], labels int32 [N], and the number of training images.
    Raises:
      UserError: a file is missing, of the wrong size, or has a label out of range.
    """
    return _from_tfds(name) if folder is None else _from_files(LAYOUTS[name], Path(folder))


def _from_files(layout: Layout, folder: Path) -> tuple[np.ndarray, np.ndarray, int]:
    if (folder / layout.folder).is_dir():
        folder = folder / layout.folder
    parts = [_read_file(folder / file, layout, layout.rows_per_file[0]) for file in layout.train]
    train_rows = sum(len(part) for part in parts)
    rows = np.concatenate(parts + [_read_file(folder / file, layout, layout.rows_per_file[1]) for file in layout.test])
    labels = rows[:, layout.label_bytes - 1].astype(np.int32)
    planes = rows[:, layout.label_bytes :].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels, train_rows


def _read_file(path: Path, layout: Layout, expected_rows: int) -> np.ndarray:
    width = layout.label_bytes + PIXELS
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({error.strerror}): expected the official binary version of CIFAR"
        ) from error
    if data.size != expected_rows * width:
        raise UserError(f"{path} has {data.size} bytes instead of {expected_rows * width}: it is not complete")
    rows = data.reshape(-1, width)
    largest = int(rows[:, layout.label_bytes - 1].max())
    if largest >= layout.classes:
        raise UserError(f"{path} has label {largest}: labels of {layout.folder} are below {layout.classes}")
    return rows


def _from_tfds(name: str) -> tuple[np.ndarray, np.ndarray, int]:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise UserError(
            "tensorflow-datasets is not installed: install edgerl[data], or give the folder of the binary files"
        ) from error
    parts = [_tfds_split(tfds, name, split) for split in ("train", "test")]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, labels, len(parts[0][0])


def _tfds_split(tfds: Any, name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    rows = list(tfds.as_numpy(tfds.load(name, split=split)))
    # tfds shuffles when it writes; the id ends in the row's number in the official file.
    rows.sort(key=lambda row: row["id"])
    return np.stack([row["image"] for row in rows]), np.array([row["label"] for row in rows], np.int32)
