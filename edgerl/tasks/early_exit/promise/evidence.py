"""What a promise is calibrated on: how sure each exit is of each image, in the device's integers, and who is right."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgerl.tasks.early_exit.evaluation.baselines import chosen
from edgerl.tasks.early_exit.export.integer_answers import PLAIN_GAIN, answers
from edgerl.tasks.early_exit.factory import SPLITS
from edgerl.tasks.early_exit.table.features import CHUNK_VALUES
from edgerl.tasks.early_exit.table.table import Table
from edgerl.util import files
from edgerl.util.errors import UserError

ONE = 65536  # a probability of 1
_LOGITS = np.arange(11 * 32, -11 * 32 - 1, -1) / 32  # of a probability that any network up to 65,536 classes has
# From safest to cheapest, evenly spaced in log(p / (1 - p)). Nothing of a table goes into them: a proof needs that.
THRESHOLDS = np.rint(ONE / (1 + np.exp(-_LOGITS))).astype(np.uint32)
MEASURES = ("multiply-accumulates", "latency")
BLOCK = 16  # rules looked at together
_SHUFFLE = 2405  # seed of the order in which images are bet on: they may lie sorted in a file


@dataclasses.dataclass(frozen=True)
class Evidence:
    """n images at K exits.

    Attributes:
      probability: uint32 [n, K], of the predicted class in whole 65536ths: softmax of the raw logits, as the C has it.
      right: bool [n, K], whether the prediction is the label.
      cost: float64 [K], cumulative.
      measure: what the cost is, one of `MEASURES`.
    """

    probability: np.ndarray
    right: np.ndarray
    cost: np.ndarray
    measure: str

    def exits(self, thresholds: np.ndarray) -> np.ndarray:
        """int16 [L, n]: where images stop whose probability must reach each of some thresholds [L]."""
        below = self._highest[None, :, :-1] < thresholds[:, None, None]
        return below.sum(-1, dtype=np.int16)

    @functools.cached_property
    def _highest(self) -> np.ndarray:
        return np.maximum.accumulate(self.probability, axis=1)

    def losses(self, thresholds: np.ndarray) -> np.ndarray:
        """int8 [L, n]: 1 where the last exit is right and the rule is not, -1 the other way round, else 0."""
        exits = self.exits(thresholds)
        answered = self.right[np.arange(len(self.right)), exits]
        return self.right[:, -1].astype(np.int8) - answered.astype(np.int8)

    def shuffled(self) -> "Evidence":
        """The same images in an order that tells nothing of them, always the same."""
        order = np.random.default_rng(_SHUFFLE).permutation(len(self.right))
        return dataclasses.replace(self, probability=self.probability[order], right=self.right[order])

    def blocks(self) -> Iterator[np.ndarray]:
        """Losses of all rules, from safest to cheapest, int8 [BLOCK, n] at a time."""
        for start in range(0, len(THRESHOLDS), BLOCK):
            yield self.losses(THRESHOLDS[start : start + BLOCK])

    def outcome(self, threshold: int) -> dict[str, float]:
        """Accuracy, its loss against the last exit, and the cost as a share of the last exit's, of one rule."""
        exits = self.exits(np.array([threshold]))[0]
        right = chosen(self.right, exits)
        return {
            "accuracy": float(right.mean()),
            "accuracy_loss": (int(self.right[:, -1].sum()) - int(right.sum())) / len(right),
            "cost_share": float(self.cost[exits].mean() / self.cost[-1]),
        }

    def digest(self) -> str:
        """sha256 over all numbers."""
        parts = [np.ascontiguousarray(part).tobytes() for part in (self.probability, self.right, self.cost)]
        return hashlib.sha256(b"".join([*parts, self.measure.encode()])).hexdigest()


def of_logits(logits: np.ndarray, labels: np.ndarray, cost: np.ndarray, measure: str) -> Evidence:
    """Of raw logits float32 [n, K, C] and labels int [n]."""
    seen = answers(logits, np.full(logits.shape[:2], PLAIN_GAIN))
    return Evidence(seen.probability.astype(np.uint32), seen.prediction == labels[:, None], cost, measure)


def of_table(table: Table, split: str) -> Evidence:
    """Of a table's images of one split.

    Raises:
      UserError: it has none.
    """
    rows = table.rows(SPLITS[split])
    if not rows.size:
        raise UserError(
            f"the table has no images of the split '{split}', on which a promise is calibrated or evaluated"
        )
    cost, measure = cost_of(table)
    count = max(1, CHUNK_VALUES // (table.exits * table.classes))
    parts = [rows[start : start + count] for start in range(0, len(rows), count)]
    found = [of_logits(table.logits(part), table.labels[part], cost, measure) for part in parts]
    return Evidence(
        np.concatenate([part.probability for part in found]),
        np.concatenate([part.right for part in found]),
        cost,
        measure,
    )


def cost_of(table: Table) -> tuple[np.ndarray, str]:
    """Cumulative cost float64 [K] of a table's exits, and what it is measured in."""
    if table.macs is not None:
        return np.asarray(table.macs, np.float64), MEASURES[0]
    return np.asarray(table.latency_ms, np.float64), MEASURES[1]


def save(path: Path, evidence: Evidence) -> None:
    """Writes what `load` reads."""
    files.write_npz(path, dataclasses.asdict(evidence))


def load(path: Path) -> Evidence:
    """Reads evidence.

    Raises:
      UserError: the file is missing, damaged or holds something else.
    """
    arrays = files.read_npz(path)
    probability, right, cost = (arrays.get(name, np.zeros(0)) for name in ("probability", "right", "cost"))
    measure = str(arrays.get("measure", ""))
    fit = probability.ndim == 2 and probability.shape == right.shape and probability.shape[1:] == cost.shape
    types = (probability.dtype, right.dtype, cost.dtype) == (np.uint32, np.bool_, np.float64)
    if not (fit and types and probability.size and measure in MEASURES):
        raise UserError(f"{path} is not the evidence of a certificate: expected probability, right, cost and measure")
    if not (np.isfinite(cost).all() and (cost > 0).all() and (probability <= ONE).all()):
        raise UserError(f"{path} is not the evidence of a certificate: numbers out of range")
    return Evidence(probability, right, cost, measure)
