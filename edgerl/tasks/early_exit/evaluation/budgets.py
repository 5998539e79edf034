"""A front of policies against threshold rules, budget by budget: every rule is solved on the policy split for a mean
number of multiply-accumulates, and judged on the test split."""

import dataclasses
from typing import Any

import numpy as np

from edgerl.tasks.early_exit.evaluation.baselines import (
    ThresholdPath,
    chosen,
    geometric_path,
    hull_accuracy,
    measured,
    outcome,
    searched_path,
    shared_path,
    stop_by_patience,
    stop_by_threshold,
)
from edgerl.tasks.early_exit.evaluation.bootstrap import interval, summary
from edgerl.tasks.early_exit.evaluation.evaluate import SCORES, Images, share_of_bound
from edgerl.tasks.early_exit.evaluation.stopping import cross_validated_knots, fit_stopping

BUDGETS = 20
FINE = 61  # budgets tried for "as accurate as the last exit"
KEPT = 0.003  # of accuracy that may be lost where the last exit's is "kept"
ABOVE_ZERO = np.nextafter(np.float32(0), np.float32(1))  # a tie is CONTINUE, the lowest action
MEAN_OF = 1 / 8  # of the front's policies, those nearest to a budget


@dataclasses.dataclass(frozen=True)
class Family:
    """Rules of one kind, and the score of the test images that they look at."""

    path: ThresholdPath
    test_score: np.ndarray  # float [m, K]

    def solve(self, budget: float, spend: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Where the rule for a budget stops the fitted and the test images."""
        thresholds = self.path.spend(budget) if spend else self.path.solve(budget)
        return stop_by_threshold(self.path.score, thresholds), stop_by_threshold(self.test_score, thresholds)


def threshold_families(fit: Images, test: Images) -> dict[str, Family]:
    """Thresholds on entropy and on the largest probability: one for all exits, a geometric family, one an exit."""
    families: dict[str, Family] = {}
    cost = fit.costs["macs"]
    for name, field in SCORES.items():
        score, test_score = (np.asarray(getattr(images.features, field), np.float64) for images in (fit, test))
        paths = {
            "one threshold": shared_path(score),
            "geometric": geometric_path(score),
            "a threshold an exit": searched_path(score, fit.correct, cost),
        }
        for kind, path in paths.items():
            families[f"{name}, {kind}"] = Family(measured(path, score, fit.correct, cost), test_score)
    return families


class Front:
    """Policies of rising cost. For a budget, the mean of those nearest to it, whose decision is shifted by a constant.

    A policy exits where its score, the lead of EXIT over CONTINUE, is above 0. The mean of networks' scores is that of
    one network, in which they stand side by side, and less a matter of chance than one of them. Adding a constant to
    the bias of its last layer is the same as another threshold than 0, and is solved as thresholds are.
    """

    def __init__(self, fit_scores: np.ndarray, test_scores: np.ndarray, fit: Images) -> None:
        """Of P policies, scores float32 [P, n, K] of the fitted and [P, m, K] of the test images."""
        self.test_scores = test_scores
        self._fit_scores = fit_scores
        self._fit = fit
        self._families: dict[tuple[int, ...], Family] = {}
        macs = fit.costs["macs"]
        exits = [stop_by_threshold(score, ABOVE_ZERO) for score in fit_scores]
        self._costs = np.array([macs[stopped].mean() for stopped in exits])
        self._accuracy = np.array([chosen(fit.correct, stopped).mean() for stopped in exits])

    def best_at(self, price: float) -> int:
        """Which policy earns most on the policy split, at a price for the last exit's multiply-accumulates."""
        return int(np.argmax(self._accuracy - price * self._costs / self._fit.costs["macs"][-1]))

    def solve(self, budget: float) -> tuple[np.ndarray, np.ndarray]:
        """Where the policy for a budget stops the fitted and the test images."""
        nearest = np.argsort(np.abs(self._costs - budget), kind="stable")[: max(1, round(MEAN_OF * len(self._costs)))]
        return self._family(tuple(sorted(nearest.tolist()))).solve(budget, spend=True)

    def _family(self, members: tuple[int, ...]) -> Family:
        if members not in self._families:
            fit, rows = self._fit, list(members)
            score, test_score = (s[rows].mean(0, np.float64) for s in (self._fit_scores, self.test_scores))
            path = measured(shared_path(score), score, fit.correct, fit.costs["macs"])
            self._families[members] = Family(path, test_score)
        return self._families[members]


def evaluate_front(front: Front, prices: np.ndarray, fit: Images, test: Images) -> dict[str, Any]:
    """The rows of a comparison at `BUDGETS` mean numbers of multiply-accumulates between the first and the last exit's.

    Returns:
      {"budgets": a list of rows, "compute_kept": see `compute_kept`, "worst_lead": the policy's smallest lead over the
      best threshold rule, in accuracy, "above_hull": whether it is above the fixed exits' hull at every budget,
      "shares_of_bound": at each price [P], "worst_share_of_bound"}.
    """
    shares = shares_of_bound(front, prices, fit, test)
    families = threshold_families(fit, test)
    cost = test.costs["macs"]
    rows = [_row(front, families, fit, test, budget) for budget in np.linspace(cost[0], cost[-1], BUDGETS + 2)[1:-1]]
    return {
        "budgets": rows,
        "worst_lead": min(row["lead"]["mean"] for row in rows),
        "above_hull": all(row["policy"]["accuracy"]["mean"] > row["hull"] for row in rows),
        "compute_kept": compute_kept(front, fit, test),
        "shares_of_bound": shares,
        "worst_share_of_bound": min(shares),
    }


def shares_of_bound(front: Front, prices: np.ndarray, fit: Images, test: Images) -> list[float]:
    """At each price [P] of compute the front's reward on the test images over that of optimal stopping.

    For a price the front has a policy trained at it, and others: taken is the one that earns most on the policy split.
    """
    knots = cross_validated_knots(fit.observed, fit.reward)
    shares = []
    for price in prices:
        cost = price * fit.costs["macs"] / fit.costs["macs"][-1]
        reward = test.correct - cost
        bound = fit_stopping(fit.observed, fit.correct - cost, knots).exits(test.observed)
        earned = chosen(reward, stop_by_threshold(front.test_scores[front.best_at(price)], ABOVE_ZERO)).mean()
        shares.append(share_of_bound(float(earned), float(chosen(reward, bound).mean())))
    return shares


def _row(front: Front, families: dict[str, Family], fit: Images, test: Images, budget: float) -> dict[str, Any]:
    cost = test.costs["macs"]
    exits = front.solve(budget)[1]
    rules = {name: family.solve(budget)[1] for name, family in families.items()}
    rules |= _patience(fit, test, budget)
    points = {name: outcome(test.correct, cost, stopped) for name, stopped in rules.items()}
    best = max(points, key=lambda name: points[name][0])
    lead = chosen(test.correct, exits).astype(np.float64) - chosen(test.correct, rules[best])
    spent = float(cost[exits].mean())
    return {
        "budget_macs": float(budget),
        "policy": {"accuracy": summary(chosen(test.correct, exits)), "macs": spent},
        # At what the policy really spent: by chance it may be a little more or less than on the policy split.
        "hull": float(hull_accuracy(cost, test.correct.mean(0), np.asarray(spent))),
        "rules": {name: {"accuracy": a, "macs": macs} for name, (a, macs) in points.items()},
        "best_rule": best,
        "lead": {"mean": float(lead.mean()), **dict(zip(("low", "high"), map(float, interval(lead)), strict=True))},
    }


def _patience(fit: Images, test: Images, budget: float) -> dict[str, np.ndarray]:
    """The most accurate patience within the budget, if any is."""
    tried = []
    for patience in range(1, fit.reward.shape[1]):
        accuracy, macs = outcome(fit.correct, fit.costs["macs"], stop_by_patience(fit.features.prediction, patience))
        if macs <= budget:
            tried.append((accuracy, patience))
    return {"patience": stop_by_patience(test.features.prediction, max(tried)[1])} if tried else {}


def compute_kept(front: Front, fit: Images, test: Images) -> dict[str, Any]:
    """How little compute keeps the last exit's accuracy: chosen on the policy split, judged on the test split.

    Returns:
      For "kept" (all but 0.3 point of the last exit's accuracy) and "equal": the cheapest policy's accuracy on the test
      images, its lead over the last exit there, and its mean multiply-accumulates as a share of the last exit's. For
      "at 80 %": the same of the policy for that share of the last exit's multiply-accumulates.
    """
    cost, last = test.costs["macs"], test.correct[:, -1]
    solved = [front.solve(budget) for budget in np.linspace(cost[0], cost[-1], FINE)]
    accuracy = np.array([chosen(fit.correct, exits[0]).mean() for exits in solved])
    rows: dict[str, Any] = {"last_exit": {"accuracy": summary(last), "macs": float(cost[-1])}}
    for name, lost in (("kept", KEPT), ("equal", 0.0)):
        enough = np.flatnonzero(accuracy >= fit.correct[:, -1].mean() - lost)
        rows[name] = _kept(test, solved[enough[0]][1] if enough.size else np.full(len(last), len(cost) - 1))
    rows["at 80 %"] = _kept(test, front.solve(0.8 * cost[-1])[1])
    return rows


def _kept(test: Images, exits: np.ndarray) -> dict[str, Any]:
    reached, cost = chosen(test.correct, exits), test.costs["macs"]
    return {
        "accuracy": summary(reached),
        "lead": summary(reached.astype(np.float64) - test.correct[:, -1]),
        "share_of_macs": float(cost[exits].mean() / cost[-1]),
    }
