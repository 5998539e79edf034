"""The table of NAS-Bench-201 on analogue hardware: a row a cell, thirteen measured accuracies in percent.

Columns: edge_0 to edge_5, then the METRICS; drift columns have a spread beside them, named with `_std`. More columns
are ignored. The published numbers are those of the package analog-nasbench 0.1.3; it states no licence: they are
no part of this package, and `--data` names them. `CITATION` has their source.
"""

import csv
import dataclasses
from pathlib import Path

import numpy as np

from edgerl.tasks.latent_nas.cells import space
from edgerl.util.errors import UserError

DIGITAL = ("baseline_accuracy", "ptq_accuracy", "qat_accuracy")
DRIFT = tuple(f"{kind}_drift_{s}" for kind in ("baseline", "analog") for s in (60, 3600, 86400, 2592000))
METRICS = (*DIGITAL, "noisy_accuracy", "analog_accuracy", *DRIFT)
CITATION = (
    "Accuracies of analog-nasbench 0.1.3 (no licence stated): Kerrouche and others, 2025, arXiv 2506.18495; cells of "
    "NAS-Bench-201: Dong & Yang, 2020."
)


@dataclasses.dataclass(frozen=True)
class Cells:
    """All cells, in the order of `space.all_cells`, with what was measured of them."""

    cells: np.ndarray  # int32 [15,625, 6]
    metrics: dict[str, np.ndarray]  # float64 [15,625] each, percent; `METRICS`, and the spreads of the drifts


def read_csv(path: str | Path) -> Cells:
    """Reads and checks a table.

    Raises:
      UserError: the file is missing or no such table, a cell is missing or there twice, or a value is impossible.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; expected a CSV file of NAS-Bench-201's cells"
        ) from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not a CSV file ({error})") from error
    header = [name.strip() for name in rows[0]] if rows else []
    spreads = tuple(f"{name}_std" for name in DRIFT)
    for name in (*space.GENES, *METRICS, *spreads):
        if header.count(name) != 1:
            problem = "there twice" if name in header else "missing"
            raise UserError(f"{path}: column '{name}' is {problem}; expected {', '.join((*space.GENES, *METRICS))}")
    try:
        values = np.array(rows[1:], np.float64)
    except ValueError as error:
        raise UserError(f"{path}: a row is too short, too long or holds no number ({error})") from error
    cells = values[:, [header.index(name) for name in space.GENES]]
    bad = np.flatnonzero((cells != np.rint(cells)).any(1) | ~space.buildable(cells))
    if bad.size:
        raise UserError(f"{path}, line {bad[0] + 2}: edges are {cells[bad[0]]}; expected whole numbers from 0 to 4")
    place = space.numbers(cells.astype(np.int64))
    if len(place) != 5**6 or len(np.unique(place)) != 5**6:
        raise UserError(f"{path} has {len(place)} rows and {len(np.unique(place))} cells; expected each of 15,625 once")
    ordered = values[np.argsort(place)]
    metrics = {name: ordered[:, header.index(name)] for name in (*METRICS, *spreads)}
    for name, column in metrics.items():
        bad = np.flatnonzero(~((column >= 0) & (column <= 100)))
        if bad.size:
            raise UserError(f"{path}: {name} of cell {bad[0]} is {column[bad[0]]}; expected percent, 0 to 100")
    return Cells(space.all_cells(), metrics)
