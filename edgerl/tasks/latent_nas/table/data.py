"""The CSV format of AnalogNAS: a row an architecture, its genes and what was measured; every gene is checked.

Columns, in any order: `space.GENES` (the kinds of convolution as A to D) and `TARGETS`. More columns are ignored.
The published table, of 1,200 rows: IBM AnalogNAS, Apache-2.0, see `CITATION`. It is not part of this package.
"""

import csv
import dataclasses
import difflib
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgerl.tasks.latent_nas.table.space import BLOCK, GENES, HIGH, KIND, KINDS, LOW, buildable
from edgerl.util.errors import UserError

TARGETS = ("1_day_accuracy", "1_day_accuracy_std", "AVM")
CITATION = (
    "Trained on dataset_cifar10_v1.csv of IBM AnalogNAS (Apache License 2.0): H. Benmeziane et al., 'AnalogNAS: A "
    "Neural Network Design Framework for Accurate Inference with Analog In-Memory Computing', IEEE EDGE 2023."
)

_LARGEST = 1e9  # of a spread or an AVM, which are percent
_CHUNK = 20_000  # rows converted at a time: a million rows are no more text in memory than these
_CODES = {"0": "0"} | {letter: str(i + 1) for i, letter in enumerate(KINDS)}


@dataclasses.dataclass(frozen=True)
class Architectures:
    """Architectures with what was measured of them."""

    genes: np.ndarray  # int32 [N, 22], as in `space`
    targets: np.ndarray  # float64 [N, 3]: accuracy one day after programming, its standard deviation, AVM

    def __len__(self) -> int:
        return len(self.genes)

    def __getitem__(self, rows: np.ndarray) -> "Architectures":
        return Architectures(self.genes[rows], self.targets[rows])


def read_csv(path: str | Path) -> Architectures:
    """Reads and checks a table.

    Raises:
      UserError: the file is missing, empty or no such table, a column is missing, or a value is impossible; the
        message names the line, the gene and what would be right.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            chunks = list(_chunks(path, csv.reader(file)))
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; expected a CSV file as AnalogNAS's") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not a CSV file ({error})") from error
    if not chunks:
        raise UserError(f"{path} has a header and no rows: expected an architecture in each row")
    return Architectures(np.concatenate([c[0] for c in chunks]), np.concatenate([c[1] for c in chunks]))


def split(rows: int, share: float = 0.2, seed: int = 42) -> tuple[np.ndarray, np.ndarray]:
    """(training rows, test rows), as scikit-learn's `train_test_split(test_size=share, random_state=seed)` has them."""
    order = np.random.RandomState(seed).permutation(rows)
    tests = math.ceil(share * rows)
    return order[tests:], order[:tests]


def _chunks(path: Path, rows: Iterator[list[str]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(genes, targets) of some rows at a time."""
    header = [name.strip() for name in next(rows, [])]
    if not any(header):
        raise UserError(f"{path} is empty: expected a first line with {GENES[0]}, {GENES[1]}, …, {TARGETS[-1]}")
    for name in GENES + TARGETS:
        if header.count(name) != 1:
            problem = f"missing{_instead(name, header)}" if name not in header else "there twice"
            raise UserError(f"{path}: column '{name}' is {problem}; expected {', '.join(GENES + TARGETS)}")
    columns = [header.index(name) for name in GENES + TARGETS]
    line = 2
    while part := list(itertools.islice(rows, _CHUNK)):
        numbers = [line + i for i, row in enumerate(part) if row]
        filled = [row for row in part if row]
        for number, row in zip(numbers, filled, strict=True):
            if len(row) != len(header):
                raise UserError(f"{path}, line {number}: {len(row)} values; the header names {len(header)} columns")
        line += len(part)
        if filled:
            texts = [[row[c].strip() for row in filled] for c in columns]
            yield _genes(path, texts[: len(GENES)], numbers), _targets(path, texts[len(GENES) :], numbers)


def _instead(name: str, header: list[str]) -> str:
    """What may stand in a column's place, to go on with after "missing"."""
    if len(header) == 1:
        for mark, said in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if mark in header[0]:
                return f": the first line has {said}; separate columns with commas"
    others = [other for other in header if other not in GENES + TARGETS]
    same = [other for other in others if other.lower().replace(" ", "_") == name.lower()]
    near = same or difflib.get_close_matches(name, [other for other in others if len(other) < 100], 1, 0.8)
    return f", but there is '{near[0]}'" if near else ""


def _genes(path: Path, columns: Sequence[list[str]], numbers: Sequence[int]) -> np.ndarray:
    """int32 [n, 22] from text, gene by gene."""
    read = []
    for column, (name, texts) in enumerate(zip(GENES, columns, strict=True)):
        codes = [_CODES.get(text, "") for text in texts] if column in KIND else texts
        try:
            read.append(np.array(codes, np.str_).astype(np.int64))
        except (ValueError, OverflowError) as error:
            row = next(i for i, code in enumerate(codes) if not code.isdecimal() or len(code) > 18)
            expected = f"a letter from {', '.join(KINDS)}, or 0" if column in KIND else "a whole number"
            raise UserError(
                f"{path}, line {numbers[row]}: {name} is '{_cut(texts[row])}'; expected {expected}"
            ) from error
    genes = np.stack(read, 1)
    bad = np.flatnonzero(~buildable(genes))
    if bad.size:
        raise UserError(f"{path}, line {numbers[bad[0]]}: {_complaint(genes[bad[0]])}")
    return genes.astype(np.int32)


def _complaint(genes: np.ndarray) -> str:
    """What is wrong with genes [22] that cannot be built: the first gene, M before all."""
    blocks = genes[1]
    for gene in (1, *(i for i in range(len(GENES)) if i != 1)):
        value, low, high = genes[gene], LOW[gene], HIGH[gene]
        if BLOCK[gene] >= blocks:
            if value != 0:
                return f"{GENES[gene]} is {value}; expected 0: M is {blocks}, there is no block {BLOCK[gene] + 1}"
        elif not low <= value <= high:
            return f"{GENES[gene]} is {value}; expected {low} to {high}"
    raise AssertionError("called with genes that can be built")


def _targets(path: Path, columns: Sequence[list[str]], numbers: Sequence[int]) -> np.ndarray:
    """float64 [n, 3] from text."""
    read = []
    for name, high, texts in zip(TARGETS, (1.0, _LARGEST, _LARGEST), columns, strict=True):
        values = np.array([_number(text) for text in texts])
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values <= high)))
        if bad.size:
            expected = "a share from 0 to 1" if high == 1 else f"a number from 0 to {_LARGEST:g}"
            percent = high == 1 and np.isfinite(values).all() and 1 < values.max() <= 100 and values.min() >= 0
            expected += ": these look like percent, divide them by 100" * bool(percent)
            raise UserError(f"{path}, line {numbers[bad[0]]}: {name} is '{_cut(texts[bad[0]])}'; expected {expected}")
        read.append(values)
    return np.stack(read, 1)


def _cut(text: str) -> str:
    """On one line, and no longer than a line may be."""
    return "".join(c if c.isprintable() else " " for c in text[:60])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
