"""Optimal stopping by backward induction on what a policy sees: the bound that a policy is held against.

From the last exit to the first, the gain of going on (the reward of what follows, less that of stopping here) is
regressed on the observation, and the rule stops where the gain is not positive: Longstaff & Schwartz (2001), "Valuing
American Options by Simulation: A Simple Least-Squares Approach". The regression is piecewise linear between quantiles;
how many, cross-validation says. A policy that sees one exit at a time does not know how an image got there; so the
regression is over the images that reach the exit, and is repeated until the rule is consistent with itself.
"""

import dataclasses

import numpy as np

from edgerl.tasks.early_exit.evaluation.baselines import chosen, first_stop

ROUNDS = 4  # of making the rule consistent with which images it lets through
FOLDS = 5
KNOTS = (0, 1, 2, 4, 8)  # candidates for cross-validation
RIDGE = 1e-6


Knots = tuple[np.ndarray | None, ...]  # of each feature, increasing; None where it is a yes or no


@dataclasses.dataclass(frozen=True)
class StoppingRule:
    """Stops where the predicted gain of going on is not positive."""

    knots: tuple[Knots, ...]  # of each exit but the last
    weights: tuple[np.ndarray, ...]  # of each exit but the last

    def exits(self, observed: np.ndarray) -> np.ndarray:
        """int [n]: where images with features float [n, K, F] stop."""
        return _exits(_bases(observed, self.knots), self.weights)


def fit_stopping(observed: np.ndarray, reward: np.ndarray, knots: int | None = None) -> StoppingRule:
    """The rule that backward induction gives.

    Args:
      observed: float [n, K, F], what the policy sees at each exit and that differs between images.
      reward: float [n, K], what stopping at each exit pays.
      knots: of each feature; chosen by cross-validation if None.
    """
    knots = cross_validated_knots(observed, reward) if knots is None else knots
    images, exits, _ = observed.shape
    places = tuple(_places(observed[:, k], knots) for k in range(exits - 1))
    bases = _bases(observed, places)
    stopped = np.full(images, exits - 1)
    best: tuple[np.ndarray, ...] = ()
    best_value = -np.inf
    for _ in range(ROUNDS):
        weights = _induce(bases, reward, stopped)
        stopped = _exits(bases, weights)
        value = chosen(reward, stopped).mean()
        if value > best_value:
            best, best_value = weights, value
    return StoppingRule(places, best)


def cross_validated_knots(observed: np.ndarray, reward: np.ndarray, seed: int = 0) -> int:
    """The number of knots whose rule earns most on images that it was not fitted on."""
    fold = np.random.default_rng(seed).permutation(len(reward)) % FOLDS

    def earned(knots: int) -> float:
        total = 0.0
        for f in range(FOLDS):
            rule = fit_stopping(observed[fold != f], reward[fold != f], knots)
            total += chosen(reward[fold == f], rule.exits(observed[fold == f])).sum()
        return total

    return max(KNOTS, key=earned)


def _induce(bases: list[np.ndarray], reward: np.ndarray, stopped: np.ndarray) -> tuple[np.ndarray, ...]:
    """Weights of each exit but the last, by one pass backwards over the images that `stopped` [n] there or later."""
    value = reward[:, -1]
    weights: list[np.ndarray] = []
    for k in reversed(range(len(bases))):
        reached = stopped >= k
        here = reached if reached.any() else slice(None)
        weight = _ridge(bases[k][here], (value - reward[:, k])[here])
        value = np.where(bases[k] @ weight <= 0, reward[:, k], value)
        weights.insert(0, weight)
    return tuple(weights)


def _exits(bases: list[np.ndarray], weights: tuple[np.ndarray, ...]) -> np.ndarray:
    stops = [basis @ weight <= 0 for basis, weight in zip(bases, weights, strict=True)]
    return first_stop(np.stack([*stops, np.ones_like(stops[0])], 1))


def _bases(observed: np.ndarray, knots: tuple[Knots, ...]) -> list[np.ndarray]:
    return [_basis(observed[:, k], places) for k, places in enumerate(knots)]


def _basis(x: np.ndarray, knots: Knots) -> np.ndarray:
    """[n, D]: 1, the features [n, F], their excess over each of their knots; and all of these times each yes or no."""
    columns = [np.ones((len(x), 1))]
    switches = []
    for feature, places in zip(x.T[:, :, None], knots, strict=True):
        if places is None:
            switches.append(feature)
        else:
            columns += [feature, np.maximum(feature - places, 0)]
    smooth = np.concatenate(columns, 1)
    return np.concatenate([smooth, *(switch * smooth for switch in switches)], 1)


def _places(x: np.ndarray, knots: int) -> Knots:
    """Inner quantiles of each feature of [n, F], each once."""
    levels = np.arange(1, knots + 1) / (knots + 1)
    return tuple(None if np.isin(feature, (0, 1)).all() else np.unique(np.quantile(feature, levels)) for feature in x.T)


def _ridge(basis: np.ndarray, target: np.ndarray) -> np.ndarray:
    gram = basis.T @ basis
    return np.linalg.solve(gram + RIDGE * len(target) * np.eye(len(gram)), basis.T @ target)
