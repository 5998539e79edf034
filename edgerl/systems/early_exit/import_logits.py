"""Bringing the logits of the user's own early-exit network, of any framework, as a table."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgerl.core.files import NpzReader, npz_reader, npz_writer
from edgerl.systems.early_exit.calibration import fit_temperatures
from edgerl.systems.early_exit.checks import COSTS, Check
from edgerl.systems.early_exit.data import POLICY, TEST
from edgerl.systems.early_exit.table import Table, load_table, quantise, write_columns

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
    with npz_reader(source) as reader:
        check.names(reader.names, ("logits", "labels"), ("split",))
        shape, dtype = reader.shape_and_dtype("logits")
        check.logits_shape(shape)
        check.expect(dtype.kind == "f", f"logits are {dtype}; expected float16, float32 or float64")
        labels = reader.read("labels")
        check.integers("labels", labels, shape[0], shape[2])
        split = reader.read("split") if "split" in reader.names else _random_split(shape[0])
        check.split(split, shape[0])
        costs = {name: reader.read(name) for name in COSTS if name in reader.names}
        check.costs(costs, shape[1])
        stream = _Stream(reader, check, shape, _calibration_rows(split, shape))
        with npz_writer(out) as writer:
            writer.write_rows("logits_q", shape, np.int8, stream)
            fitted = np.asarray(fit_temperatures(np.concatenate(stream.kept), labels[stream.rows]))
            columns = {name: cost.astype(np.float64) for name, cost in costs.items()}
            provenance = {"source": Path(source).name, "split": "given" if "split" in reader.names else "random halves"}
            table = Table(
                np.empty(0),
                stream.scale,
                labels.astype(np.int32),
                split.astype(np.uint8),
                fitted,
                **columns,
                provenance=provenance,
            )
            write_columns(writer, table)
    return load_table(out)


class _Stream:
    """Iterates over the quantised logits once; keeps every scale, and the logits of `rows`."""

    def __init__(self, reader: NpzReader, check: Check, shape: tuple[int, ...], rows: np.ndarray) -> None:
        self.rows = rows
        self.scale = np.empty(shape[:2], np.float32)
        self.kept: list[np.ndarray] = []
        self._reader, self._check, self._shape = reader, check, shape

    def __iter__(self) -> Iterator[np.ndarray]:
        count = max(1, CHUNK_VALUES // (self._shape[1] * self._shape[2]))
        start = 0
        for chunk in self._reader.rows("logits", count):
            stop = start + len(chunk)
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
                logits = chunk.astype(np.float32)
            bad = np.flatnonzero(~np.isfinite(logits).all((1, 2)))
            first = bad[0] if bad.size else 0
            self._check.expect(not bad.size, f"logits[{start + first}] are not all finite float32 numbers")
            low, high = np.searchsorted(self.rows, (start, stop))
            self.kept.append(logits[self.rows[low:high] - start])
            quantised, self.scale[start:stop] = quantise(logits)
            yield quantised
            start = stop


def _random_split(images: int) -> np.ndarray:
    split = np.full(images, TEST, np.uint8)
    split[np.random.default_rng(0).permutation(images)[: images // 2]] = POLICY
    return split


def _calibration_rows(split: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Policy rows, evenly thinned out where they are many, sorted."""
    rows = np.flatnonzero(split == POLICY)
    most = max(1, min(FIT_ROWS, FIT_VALUES // (shape[1] * shape[2])))
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]
