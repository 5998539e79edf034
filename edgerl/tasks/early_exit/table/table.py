"""The table: what every exit answers on every image, computed once, so that an episode is a look-up."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.tasks.early_exit.table.checks import COSTS, Check
from edgerl.tasks.hardware import cost
from edgerl.tasks.hardware.profiles import Profile
from edgerl.util.files import NpzWriter, npz_reader, npz_writer

SHIPPED = Path(__file__).parents[1] / "artifacts" / "cifar100_w16_table.npz"

LEVELS = 127  # quantised logits go from -LEVELS to LEVELS

_COLUMNS = ("scale", "labels", "split", "temperatures")


@dataclasses.dataclass(frozen=True)
class Table:
    """Logits of N images at K exits for C classes, with what they cost."""

    logits_q: np.ndarray  # int8 [N, K, C]; may lie on disk
    scale: np.ndarray  # float32 [N, K]; logits = logits_q * scale
    labels: np.ndarray  # int [N], in [0, C)
    split: np.ndarray  # uint8 [N]: FIT, POLICY or TEST of `data`
    temperatures: np.ndarray  # float32 [K]; probabilities = softmax(logits / temperature)
    macs: np.ndarray | None = None  # float64 [K], cumulative; None where only latency is known
    latency_ms: np.ndarray | None = None  # float64 [K], cumulative, measured; None where a profile gives it
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def exits(self) -> int:
        """K, the number of exits."""
        return self.logits_q.shape[1]

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return self.logits_q.shape[2]

    def rows(self, split: int) -> np.ndarray:
        """Row numbers int [n] of one split."""
        return np.flatnonzero(self.split == split)

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Logits float32 [n, K, C] of some rows, as the exits gave them."""
        return self.logits_q[rows] * self.scale[rows][..., None]

    def latency_on(self, profile: Profile) -> np.ndarray:
        """Milliseconds until each exit, float64 [K]: the measured ones if the table has them, else by the profile."""
        if self.latency_ms is not None:
            return self.latency_ms
        assert self.macs is not None  # a table without either cost is refused
        return cost.latency_ms(profile, self.macs)

    def energy_on(self, profile: Profile) -> np.ndarray:
        """Millijoules until each exit, float64 [K]."""
        return cost.energy_mj(profile, self.latency_on(profile))


def quantise(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits float32 [n, K, C] as int8 [n, K, C] and a scale float32 [n, K] that takes the largest to LEVELS."""
    largest = np.abs(logits).max(-1)
    scale = np.where(largest > 0, np.maximum(largest / LEVELS, np.finfo(np.float32).tiny), 1).astype(np.float32)
    return np.clip(np.rint(logits / scale[..., None]), -LEVELS, LEVELS).astype(np.int8), scale


def load_table(path: str | Path = SHIPPED) -> Table:
    """Reads a table: the shipped one (CIFAR-100, trunk of width 16) when no path is given.

    Logits of an uncompressed file stay on disk and are read as they are looked at.

    Raises:
      UserError: the file is missing, damaged, or not a table.
    """
    check = Check(path)
    with npz_reader(path) as reader:
        check.names(reader.names, ("logits_q", *_COLUMNS), ("provenance",))
        arrays = {name: reader.mapped(name) for name in reader.names}
    provenance = _provenance(check, arrays.pop("provenance", None))
    table = Table(**arrays, provenance=provenance)
    check.logits_shape(table.logits_q.shape)
    images, exits, classes = table.logits_q.shape
    check.expect(table.logits_q.dtype == np.int8, f"logits_q are {table.logits_q.dtype}; expected int8")
    check.positive("scale", table.scale, (images, exits))
    check.positive("temperatures", table.temperatures, (exits,))
    check.integers("labels", table.labels, images, classes)
    check.split(table.split, images)
    check.costs(_costs(table), exits)
    return table


def _provenance(check: Check, text: np.ndarray | None) -> dict[str, Any]:
    try:
        provenance = {} if text is None else json.loads(str(text))
    except (ValueError, RecursionError):
        provenance = None
    check.expect(isinstance(provenance, dict), "provenance is no JSON object: the file is damaged")
    return provenance or {}


def save_table(path: str | Path, table: Table) -> None:
    """Writes a table, compressed and atomically."""
    with npz_writer(path, compress=True) as writer:
        writer.write("logits_q", table.logits_q)
        write_columns(writer, table)


def write_columns(writer: NpzWriter, table: Table) -> None:
    """Adds all of a table but its logits to an open archive."""
    for name, array in ({name: getattr(table, name) for name in _COLUMNS} | _costs(table)).items():
        writer.write(name, array)
    writer.write("provenance", json.dumps(table.provenance))


def _costs(table: Table) -> dict[str, np.ndarray]:
    return {name: getattr(table, name) for name in COSTS if getattr(table, name) is not None}
