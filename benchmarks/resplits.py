"""How often promises of accuracy are broken: images nobody has seen, split again and again into two halves.

    python -m benchmarks.resplits [--table TABLE.npz] [--resplits 1000] [--delta 0.1] [--seed 0]

One half calibrates, the other is judged on. Three ways to choose a threshold are compared: by the betting bound that
`edgerl certify` uses, without a bound (the cheapest that keeps the promise on the calibration half itself), and by the
bound of Hoeffding and Bentkus, as in Angelopoulos et al. (2021), "Learn then Test". Prints JSON: for each promise and
way the mean cost as a share of the last exit's, the mean loss, and in how many resplits it was above the promise: on
the other half, whose own loss is a matter of chance, too, and on all images.
"""

import argparse
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgerl.tasks.early_exit.promise import bound, evidence
from edgerl.tasks.early_exit.promise.certificate import check
from edgerl.tasks.early_exit.promise.evidence import BLOCK, THRESHOLDS, Evidence
from edgerl.tasks.early_exit.table.table import SHIPPED, load_table

PROMISES = (0.005, 0.01, 0.02)


class Resplits:
    """Losses and costs of all rules on both halves of all images, split again and again.

    Args:
      seen: evidence of all images, also those that one would judge on.
      count: R, how often they are split.
    """

    def __init__(self, seen: Evidence, count: int, seed: int = 0) -> None:
        rng, images = np.random.default_rng(seed), len(seen.right)
        self.size = images // 2  # of the half that calibrates
        parts = np.full((images, count), -1, np.int8)  # that each image is in, -1 in the other half
        for column in parts.T:
            column[rng.permutation(images)[: self.size]] = bound.part_of(self.size)
        losses = np.concatenate(list(seen.blocks()))  # int8 [L, n]
        exits = np.concatenate([seen.exits(THRESHOLDS[i : i + BLOCK]) for i in range(0, len(THRESHOLDS), BLOCK)])
        inside = [(parts == part).astype(np.float32) for part in range(len(bound.PARTS) + 1)]
        self.counts = np.array([[(losses == value).astype(np.float32) @ x for x in inside] for value in (1, -1)])
        self.calibration_loss = (self.counts[0] - self.counts[1]).sum(0) / self.size  # [L, R]
        judged = (parts < 0).astype(np.float32) / (images - self.size)
        self.loss = losses.mean(1)  # [L], on all images
        self.test_loss = losses.astype(np.float32) @ judged
        self.test_cost = (seen.cost / seen.cost[-1]).astype(np.float32)[exits] @ judged

    def judged(self, promise: float, delta: float) -> dict[str, dict[str, float]]:
        """Each way of choosing → "cost_share", "loss", "broken"; -1 rules passed means the last exit for everything."""
        ways = {
            "betting bound": self._certified(promise, delta),
            "no bound": _last(self.calibration_loss <= promise),
            "Hoeffding-Bentkus": self._hoeffding_bentkus(promise, delta),
        }
        return {name: self._reached(rules, promise) for name, rules in ways.items()}

    def _reached(self, rules: np.ndarray, promise: float) -> dict[str, float]:
        every = np.arange(len(rules))
        loss = np.where(rules < 0, 0, self.test_loss[rules, every])
        cost = np.where(rules < 0, 1, self.test_cost[rules, every])
        whole = np.where(rules < 0, 0, self.loss[rules])
        return {
            "cost_share": float(cost.mean()),
            "loss": float(loss.mean()),
            "broken": float((loss > promise + 1e-6).mean()),
            "broken_on_all_images": float((whole > promise + 1e-6).mean()),
        }

    def _certified(self, promise: float, delta: float) -> np.ndarray:
        """int [R]: the last rule that passes in a row, -1 where none does."""
        passes = bound.passes(self.counts, self.size, promise, delta)
        return _last(np.logical_and.accumulate(passes, axis=0))

    def _hoeffding_bentkus(self, promise: float, delta: float) -> np.ndarray:
        """The same by the smaller of both p-values, for losses moved into [0, 1]."""
        images = self.size
        mean, most = (self.calibration_loss + 1) / 2, (promise + 1) / 2
        below = np.clip(mean, 1e-12, most)
        distance = below * np.log(below / most) + (1 - below) * np.log((1 - below) / (1 - most))
        hoeffding = np.exp(-images * distance)
        hits = np.ceil(images * mean - 1e-6).astype(int)
        p = np.minimum(hoeffding, math.e * _binomial(images, most)[hits])
        return _last(np.logical_and.accumulate(p <= delta, axis=0))


def _binomial(n: int, p: float) -> np.ndarray:
    """float64 [n + 1]: how likely at most so many of n are."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(n, 0, -1) / np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    return np.minimum(np.cumsum(np.exp(logs + k * math.log(p) + (n - k) * math.log1p(-p))), 1)


def _last(good: np.ndarray) -> np.ndarray:
    """int [R]: the last true row of each column of bool [L, R], -1 where there is none."""
    return np.where(good.any(0), len(good) - 1 - good[::-1].argmax(0), -1)


def unseen(path: str | None = None) -> Evidence:
    """All images of a table that its network was not trained on."""
    table = load_table(path or SHIPPED)
    parts = [evidence.of_table(table, split) for split in ("policy", "test")]
    probability, right = (np.concatenate([getattr(part, name) for part in parts]) for name in ("probability", "right"))
    return Evidence(probability, right, parts[0].cost, parts[0].measure)


def measured(seen: Evidence, count: int, delta: float, seed: int = 0) -> dict[str, Mapping[str, Any]]:
    """What the module prints, for each of `PROMISES`."""
    resplits = Resplits(seen, count, seed)
    return {f"{promise:g}": resplits.judged(*check(promise, delta)) for promise in PROMISES}


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", help="of `edgerl logits import` (default: the shipped one)")
    parser.add_argument("--resplits", type=int, default=1000)
    parser.add_argument("--delta", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = measured(unseen(options.table), options.resplits, options.delta, options.seed)
    print(json.dumps({"resplits": options.resplits, "delta": options.delta, "promises": found}, indent=2))


if __name__ == "__main__":
    main()
