"""What logits themselves tell of how they were saved: probabilities, a wrong order, numbers that 8 bits cannot hold."""

import numpy as np

from edgerl.tasks.early_exit.table.checks import Check

NEAR, FAR = 0.02, 0.25  # of a sum of 1: for half of the rows, for all (probabilities rounded to two digits)
CHANGED = 0.2  # of an exit's predictions may be lost to 8 bits
ENOUGH = 100  # images, for what is told from how often exits are right
SIGMAS = 5

# What adds up to 1 in every row: why it is taken for that, and what to save in its place.
_SUMS = {
    "probabilities": ("none is negative and they sum to 1", "np.log(np.maximum(logits, 1e-12))"),
    "percentages": ("none is negative and they sum to 100", "np.log(np.maximum(logits / 100, 1e-12))"),
    "negative logarithms of probabilities": ("the exp(-x) sum to 1", "-logits"),
}
_MASKED = "are there masked classes? Leave them out, or save np.maximum(logits, logits.max(-1, keepdims=True) - 30)"


class Scan:
    """Sees all chunks of a file's logits, and says at the end what is wrong with them."""

    def __init__(self, check: Check, exits: int) -> None:
        self._check = check
        self._rows = 0
        self._low, self._high = np.full(exits, np.inf), np.full(exits, -np.inf)
        self._near = {kind: np.zeros(exits, np.int64) for kind in _SUMS}
        self._worst = {kind: np.zeros(exits) for kind in _SUMS}
        self._changed = np.zeros(exits, np.int64)

    def add(self, logits: np.ndarray, quantised: np.ndarray) -> None:
        """Finite float32 [n, K, C] and what 8 bits hold of them, int8 [n, K, C]."""
        self._rows += len(logits)
        self._low = np.minimum(self._low, logits.min((0, 2)))
        self._high = np.maximum(self._high, logits.max((0, 2)))
        self._changed += (quantised.argmax(-1) != logits.argmax(-1)).sum(0)
        if (self._low >= -1e-4).any():
            sums = logits.sum(-1, dtype=np.float64)
            with np.errstate(over="ignore"):
                powers = np.exp(-np.maximum(logits, -50)).sum(-1, dtype=np.float64)
            for kind, total in zip(_SUMS, (sums, sums / 100, powers), strict=True):
                self._near[kind] += (np.abs(total - 1) <= NEAR).sum(0)
                self._worst[kind] = np.maximum(self._worst[kind], np.abs(total - 1).max(0))

    def finish(self) -> list[str]:
        """Refuses what are no logits; returns lines on what may be wrong."""
        for kind, (why, remedy) in _SUMS.items():
            sums = (self._low >= -1e-4) & (self._worst[kind] <= FAR) & (self._near[kind] * 2 >= self._rows)
            told = f"logits are {kind} {_at(sums)} ({why} over the classes): save {remedy}"
            self._check.expect(not sums.any(), told)
        lost = self._changed > CHANGED * self._rows
        most = f"{np.maximum(-self._low, self._high).max():.3g}"
        told = f"logits go up to {most} in size, so that 8 bits do not keep the predictions {_at(lost)}: {_MASKED}"
        self._check.expect(not lost.any(), told)
        unit = (self._low >= 0) & (self._high <= 1)
        if unit.any():
            return [f"all numbers {_at(unit)} lie from 0 to 1: if they are sigmoids p, save np.log(p / (1 - p))"]
        return []


def look_at_answers(check: Check, logits: np.ndarray, labels: np.ndarray, orders: list[tuple[int, ...]]) -> list[str]:
    """Refuses logits [n, K, C] that are right another way round; returns lines where they are right no way.

    Args:
      logits: float [n, K, C], finite, of some images.
      labels: int [n].
      orders: of the axes, which would fit the file as well; see `forms.also_fitting`.
    """
    if len(labels) < ENOUGH:
        return [_ambiguous(orders)] if orders else []
    right = _right(logits.argmax(-1), labels)
    chance = float(np.bincount(labels).max()) / len(labels)
    above = chance + SIGMAS * np.sqrt(chance * (1 - chance) / len(labels))
    others = {
        "the smallest number is the answer: for losses or distances save -logits": _right(logits.argmin(-1), labels),
        "classes are counted from 1: save labels - 1": _right(logits.argmax(-1), labels - 1),
        "the first class has no label: save labels + 1": _right(logits.argmax(-1), labels + 1),
    }
    if (0, 2, 1) in orders:
        swapped = "they are [images, classes, exits]: save logits.transpose(0, 2, 1)"
        others[swapped] = _right(logits.argmax(1), labels)
    for told, share in others.items():
        turned = share > max(above, right + SIGMAS * np.sqrt(share * (1 - share) / len(labels)))
        check.expect(not turned, f"the best exit is right on {right:.0%} of the images, but on {share:.0%} if {told}")
    if right > above:
        return []
    order = "are labels and logits of the same images, in the same order?"
    notes = [f"the best exit is right on {right:.1%} of the images, no more than guessing, {chance:.1%}: {order}"]
    return notes + ([_ambiguous(orders)] if orders else [])


def _ambiguous(orders: list[tuple[int, ...]]) -> str:
    also = " and ".join(f"transpose{order}" for order in orders)
    return f"axes of the same size: logits are read as [images, exits, classes], but their {also} would fit as well"


def _right(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Share of images, at the best exit, of predictions int [n, K]."""
    return float((predictions == labels[:, None]).mean(0).max())


def _at(exits: np.ndarray) -> str:
    """Which exits, from 1, in words."""
    numbers = [str(k + 1) for k in np.flatnonzero(exits)]
    if len(numbers) == len(exits):
        return "at every exit"
    return f"at exit {numbers[0]}" if len(numbers) == 1 else f"at exits {', '.join(numbers)}"
