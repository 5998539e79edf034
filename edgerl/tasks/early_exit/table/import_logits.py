"""Bringing the logits of the user's own early-exit network, of any framework, as a table."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgerl.tasks.early_exit.table.calibration import fit_temperatures
from edgerl.tasks.early_exit.table.checks import COSTS, Check
from edgerl.tasks.early_exit.table.file_kinds import refuse_other_kinds
from edgerl.tasks.early_exit.table.forms import also_fitting, check_axes, check_labels, check_type
from edgerl.tasks.early_exit.table.scan import Scan, look_at_answers
from edgerl.tasks.early_exit.table.table import Table, load_table, quantise, write_columns
from edgerl.tasks.early_exit.trunk.data import POLICY, TEST
from edgerl.util.files import NpzReader, npz_reader, npz_writer

CHUNK_VALUES = 2**20  # logits in memory at a time
FIT_VALUES = 2**24  # logits that temperatures are fitted on, at most
FIT_ROWS = 50_000


def import_logits(source: str | Path, out: str | Path) -> Table:
    """Turns a file of logits into a table. Memory stays bounded: logits are read and written a chunk at a time.

    Args:
      source: `.npz` with `logits` float16, float32 or float64 [N, K, C]; `labels` int [N]; optional `split` int [N]
        (0 fit: images the network was trained on; 1 policy; 2 test); `macs` [K] or `latency_ms` [K], cumulative, each
        exit's head included. Without `split`, a random half of the images is for the policy and the rest for the test,
        so none of them should have trained the network.
      out: where the table is written, uncompressed.
    Returns:
      The table. Its logits stay on disk.
    Raises:
      UserError: an array is missing, unknown, of the wrong shape or type, out of range or not finite.
    """
    check = Check(source)
    refuse_other_kinds(source)
    with npz_reader(source) as reader:
        check.names(reader.names, ("logits", "labels"), ("split",))
        shape, dtype = reader.shape_and_dtype("logits")
        labels = reader.read("labels")
        costs = {name: reader.read(name) for name in COSTS if name in reader.names}
        check_axes(check, shape, labels, costs)
        check.logits_shape(shape)
        check_type(check, dtype)
        check_labels(check, labels, shape[0], shape[2])
        split = reader.read("split") if "split" in reader.names else _random_split(shape[0])
        check.split(split, shape[0])
        check.costs(costs, shape[1])
        stream = _Stream(reader, check, shape, _calibration_rows(split, shape))
        with npz_writer(out) as writer:
            writer.write_rows("logits_q", shape, np.int8, stream)
            kept, right = np.concatenate(stream.kept), labels[stream.rows].astype(np.int32)
            notes = stream.scan.finish() + look_at_answers(check, kept, right, also_fitting(shape))
            notes += _cost_notes(costs, shape[2]) + _shared_images(stream.sketch, split)
            fitted = np.asarray(fit_temperatures(kept, right))
            columns = {name: cost.astype(np.float64) for name, cost in costs.items()}
            provenance = {"source": Path(source).name, "split": "given" if "split" in reader.names else "random halves"}
            table = Table(
                np.empty(0),
                stream.scale,
                labels.astype(np.int32),
                split.astype(np.uint8),
                fitted,
                **columns,
                provenance=provenance | ({"notes": notes} if notes else {}),
            )
            write_columns(writer, table)
    return load_table(out)


class _Stream:
    """Iterates over the quantised logits once; keeps every scale, a number of every image, and the logits of `rows`."""

    def __init__(self, reader: NpzReader, check: Check, shape: tuple[int, ...], rows: np.ndarray) -> None:
        self.rows = rows
        self.scale = np.empty(shape[:2], np.float32)
        self.kept: list[np.ndarray] = []
        self.sketch = np.empty(shape[0])  # the same for two images only if their logits are
        self.scan = Scan(check, shape[1])
        self._direction = np.random.default_rng(0).normal(size=shape[1] * shape[2])
        self._reader, self._check, self._shape = reader, check, shape

    def __iter__(self) -> Iterator[np.ndarray]:
        count = max(1, CHUNK_VALUES // (self._shape[1] * self._shape[2]))
        start = 0
        for chunk in self._reader.rows("logits", count):
            stop = start + len(chunk)
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
                logits = chunk.astype(np.float32)
            bad = np.flatnonzero(~np.isfinite(logits).all((1, 2)))
            if bad.size:
                self._refuse(chunk[bad[0]], start + int(bad[0]))
            low, high = np.searchsorted(self.rows, (start, stop))
            self.kept.append(logits[self.rows[low:high] - start])
            quantised, self.scale[start:stop] = quantise(logits)
            self.sketch[start:stop] = logits.reshape(len(logits), -1) @ self._direction
            self.scan.add(logits, quantised)
            yield quantised
            start = stop

    def _refuse(self, logits: np.ndarray, row: int) -> None:
        with np.errstate(over="ignore"):
            k, c = np.argwhere(~np.isfinite(logits.astype(np.float32)))[0]
        where = f"logits[{row}] are not all finite float32 numbers: logits[{row}, {k}, {c}] is {logits[k, c]}"
        masked = bool(np.isneginf(logits[k, c]))
        self._check.expect(False, where + "; leave out masked classes, clip probabilities before the log" * masked)


def _cost_notes(costs: dict[str, np.ndarray], classes: int) -> list[str]:
    macs = float(costs["macs"][0]) if "macs" in costs else float(classes)
    if macs >= classes:
        return []
    return [
        f"macs begin with {macs:g}: a head of {classes} classes alone takes {classes} at least; are these millions?"
    ]


def _shared_images(sketch: np.ndarray, split: np.ndarray) -> list[str]:
    """What is learnt on must not be judged on."""
    both = np.isin(sketch[split == TEST], sketch[split == POLICY]).sum()
    if not both:
        return []
    return [f"{both} test images have the very logits of a policy image: what is judged on them was also learnt on"]


def _random_split(images: int) -> np.ndarray:
    split = np.full(images, TEST, np.uint8)
    split[np.random.default_rng(0).permutation(images)[: images // 2]] = POLICY
    return split


def _calibration_rows(split: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Policy rows, evenly thinned out where they are many, sorted."""
    rows = np.flatnonzero(split == POLICY)
    most = max(1, min(FIT_ROWS, FIT_VALUES // (shape[1] * shape[2])))
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]
