"""CIFAR-10 and CIFAR-100 from the official binary files, or through tensorflow-datasets."""

import contextlib
import dataclasses
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.util.errors import UserError
from edgerl.util.files import first_line

PIXELS = 3 * 32 * 32


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where one data set's rows are. A row is `label_bytes` labels (the last one counts), then `PIXELS` bytes."""

    title: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    rows_per_file: tuple[int, int]  # train, test
    label_bytes: int
    classes: int
    names: str  # of the file with the classes' names, a line each


LAYOUTS = {
    "cifar10": Layout(
        "CIFAR-10",
        "cifar-10-batches-bin",
        tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        ("test_batch.bin",),
        (10_000, 10_000),
        label_bytes=1,
        classes=10,
        names="batches.meta.txt",
    ),
    "cifar100": Layout(
        "CIFAR-100",
        "cifar-100-binary",
        ("train.bin",),
        ("test.bin",),
        (50_000, 10_000),
        label_bytes=2,
        classes=100,
        names="fine_label_names.txt",
    ),
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
      UserError: a file is missing, of the wrong size, or has a label out of range; or without a folder the images are
        not on this machine and cannot be fetched.
    """
    return _from_tfds(name) if folder is None else _from_files(LAYOUTS[name], Path(folder))


def class_names(name: str, folder: str | Path) -> list[str] | None:
    """What the classes are called, from the file that lies beside the official binary files; None where there is none.

    Args:
      name, folder: see `read_cifar`.
    """
    layout = LAYOUTS[name]
    for place in (Path(folder) / layout.folder, Path(folder)):
        try:
            found = (place / layout.names).read_text(encoding="utf-8", errors="replace").split()
        except OSError:
            continue
        if len(found) == layout.classes:
            return [word.replace("_", " ") for word in found]
    return None


def _from_files(layout: Layout, folder: Path) -> tuple[np.ndarray, np.ndarray, int]:
    try:
        if (folder / layout.folder).is_dir():
            folder = folder / layout.folder
    except (OSError, ValueError):  # a path that cannot be one: told where it is read
        pass
    parts = [_read_file(folder / file, layout, layout.rows_per_file[0]) for file in layout.train]
    train_rows = sum(len(part) for part in parts)
    rows = np.concatenate(parts + [_read_file(folder / file, layout, layout.rows_per_file[1]) for file in layout.test])
    labels = rows[:, layout.label_bytes - 1].astype(np.int32)
    planes = rows[:, layout.label_bytes :].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels, train_rows


def _read_file(path: Path, layout: Layout, expected_rows: int) -> np.ndarray:
    width = layout.label_bytes + PIXELS
    try:
        size = path.stat().st_size
        data = np.fromfile(path, np.uint8) if size == expected_rows * width else np.empty(0, np.uint8)
    except (OSError, ValueError) as error:
        expected = f"expected the official binary version of {layout.title}, {_wanted(layout)}"
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {path} ({reason}): {expected}{_what_is_there(path.parent, layout)}") from error
    if data.size != expected_rows * width:
        raise UserError(f"{path} has {size} bytes instead of {expected_rows * width}: it is not complete")
    rows = data.reshape(-1, width)
    largest = int(rows[:, layout.label_bytes - 1].max())
    if largest >= layout.classes:
        raise UserError(f"{path} has label {largest}: labels of {layout.folder} are below {layout.classes}")
    empty = np.flatnonzero(~rows.any(1))
    if empty.size:
        raise UserError(f"{path} is damaged: row {empty[0]} holds zeros alone, and {empty.size - 1} others do")
    return rows


def _wanted(layout: Layout) -> str:
    return f"a folder with {layout.train[0]} and {layout.test[0]}"


def _what_is_there(folder: Path, wanted: Layout) -> str:
    """What a folder holds in place of the files, to end a message with; empty where nothing is known."""
    try:
        if folder.is_file():
            return f"; {folder} is a file: unpack it and give the folder"
        there = {path.name for path in folder.iterdir()}
    except (OSError, ValueError):
        return ""
    for other in LAYOUTS.values():
        if other != wanted and (set(other.train) | {other.folder}) & there:
            return f"; {folder} holds {other.title}"
    python = {"data_batch_1", "batches.meta", "train", "meta", "cifar-10-batches-py", "cifar-100-python"} & there
    if python:
        return f"; {folder} holds the Python version ({sorted(python)[0]})"
    packed = sorted(name for name in there if name.startswith("cifar-") and name.endswith((".gz", ".tar", ".zip")))
    return f"; {packed[0]} is there: unpack it" if packed else ""


def _from_tfds(name: str) -> tuple[np.ndarray, np.ndarray, int]:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise _not_there(name, "tensorflow-datasets, which would fetch it, is not installed") from error
    try:
        with _quiet():
            parts = [_tfds_split(tfds, name, split) for split in ("train", "test")]
    except Exception as error:  # no network, no space, a part of it that is not installed: it raises what it likes
        raise _not_there(name, f"tensorflow-datasets cannot fetch it ({first_line(error)})") from error
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, labels, len(parts[0][0])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what tensorflow-datasets prints among the lines of a result; its progress bars stay."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


def _not_there(name: str, reason: str) -> UserError:
    layout = LAYOUTS[name]
    remedy = f"give its official binary version with --data DIR, {_wanted(layout)}"
    return UserError(f"{layout.title} is not here, and {reason}: {remedy}")


def _tfds_split(tfds: Any, name: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    rows = list(tfds.as_numpy(tfds.load(name, split=split)))
    # tfds shuffles when it writes; the id ends in the row's number in the official file.
    rows.sort(key=lambda row: row["id"])
    return np.stack([row["image"] for row in rows]), np.array([row["label"] for row in rows], np.int32)
