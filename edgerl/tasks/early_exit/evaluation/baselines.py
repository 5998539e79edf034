"""What a policy is compared with: fixed exits, thresholds solved for a budget, patience, the hindsight oracle.

All rules are made on one set of images (the policy split) and applied to another (the test split). All say at which
exit an image stops, int [n], and are judged by one accounting: `cost` [K] is cumulative, heads included.
"""

import dataclasses

import numpy as np

GRID = 129  # points on a path of shared or geometric thresholds
PRICES = 33  # points on a path of searched thresholds
SWEEPS = 20  # of the coordinate search, at most
BISECTIONS = 12


def first_stop(stop: np.ndarray) -> np.ndarray:
    """int [n]: the first exit where bool [n, K] is true; the last exit stops everything."""
    stop = stop.copy()
    stop[:, -1] = True
    return stop.argmax(1)


def chosen(values: np.ndarray, exits: np.ndarray) -> np.ndarray:
    """`values` [n, K] or [K] at each image's exit: [n]."""
    return values[exits] if values.ndim == 1 else np.take_along_axis(values, exits[:, None], 1)[:, 0]


def outcome(correct: np.ndarray, cost: np.ndarray, exits: np.ndarray) -> tuple[float, float]:
    """(accuracy, mean cost) of images that stop at `exits`."""
    return float(chosen(correct, exits).mean()), float(cost[exits].mean())


def upper_hull(cost: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Indices, by rising cost, of the points on the upper concave hull: what coin-tossing between points reaches."""
    kept: list[int] = []
    for i in np.lexsort((-accuracy, cost)):
        if kept and accuracy[i] <= accuracy[kept[-1]]:
            continue
        while len(kept) > 1 and _below(cost, accuracy, kept[-2], kept[-1], i):
            kept.pop()
        kept.append(int(i))
    return np.array(kept)


def _below(cost: np.ndarray, accuracy: np.ndarray, a: int, b: int, c: int) -> bool:
    """Point b is not above the line from a to c."""
    return (accuracy[b] - accuracy[a]) * (cost[c] - cost[a]) <= (accuracy[c] - accuracy[a]) * (cost[b] - cost[a])


def hull_accuracy(cost: np.ndarray, accuracy: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Accuracy of the upper hull of points at some costs; beyond the ends, that of the nearer end."""
    hull = upper_hull(cost, accuracy)
    return np.interp(at, cost[hull], accuracy[hull])


def stop_by_threshold(score: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """int [n]: the first exit whose score [n, K] reaches its threshold, [K - 1] or one for all."""
    stop = np.ones(score.shape, bool)
    stop[:, :-1] = score[:, :-1] >= thresholds
    return first_stop(stop)


def shared_path(score: np.ndarray) -> np.ndarray:
    """Thresholds [L, K - 1], the same at all exits, from stopping everything at once to nothing before the end."""
    levels = np.quantile(score[:, :-1], np.linspace(0, 1, GRID))
    levels[-1] = np.nextafter(levels[-1], np.inf)
    return np.repeat(levels[:, None], score.shape[1] - 1, 1)


def geometric_path(score: np.ndarray) -> np.ndarray:
    """Thresholds [L, K - 1] at which a share proportional to q^k stops at exit k, for q from small to large.

    Huang et al. (2018), "Multi-Scale Dense Networks for Resource Efficient Image Classification", section 4.
    """
    images, exits = score.shape
    path = []
    for q in np.geomspace(1e-3, 1e3, GRID):
        share = q ** np.arange(exits)
        stops = np.rint(images * share / share.sum()).astype(int)
        remaining = np.arange(images)
        thresholds = np.empty(exits - 1)
        for k in range(exits - 1):
            order = remaining[np.argsort(-score[remaining, k], kind="stable")]
            count = min(stops[k], len(order))
            thresholds[k] = _cut(score[order, k], count) if len(order) else thresholds[k - 1]
            remaining = order[count:]
        path.append(thresholds)
    return np.array(path)


def searched_path(score: np.ndarray, correct: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Thresholds [L, K - 1], one an exit, that maximise accuracy - price * cost for falling prices."""
    prices = np.geomspace(30, 0.01, PRICES) / cost[-1]
    return np.array([search_thresholds(score, correct - price * cost) for price in prices])


def best_shared_threshold(score: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """Thresholds [K - 1], all the same, that earn the most mean reward [n, K]."""
    return max(shared_path(score), key=lambda thresholds: _earned(score, reward, thresholds))


def search_thresholds(score: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """Thresholds [K - 1] that maximise the mean reward [n, K] of where images stop: coordinate search.

    It begins at the best shared threshold. Each threshold in turn takes the best of all its values, the others fixed,
    until none changes.
    """
    thresholds = best_shared_threshold(score, reward).copy()
    for _ in range(SWEEPS):
        before = thresholds.copy()
        for k in reversed(range(len(thresholds))):
            reached = (score[:, :k] < thresholds[:k]).all(1)
            if not reached.any():
                continue
            later = np.concatenate([np.full(k + 1, np.inf), thresholds[k + 1 :]])
            going_on = chosen(reward[reached], stop_by_threshold(score[reached], later))
            thresholds[k] = _best_cut(score[reached, k], reward[reached, k] - going_on)
        if (thresholds == before).all():
            break
    return thresholds


def _earned(score: np.ndarray, reward: np.ndarray, thresholds: np.ndarray) -> float:
    return float(chosen(reward, stop_by_threshold(score, thresholds)).mean())


def _best_cut(score: np.ndarray, gain: np.ndarray) -> float:
    """The threshold that maximises the sum of `gain` over scores at or above it."""
    order = np.argsort(-score, kind="stable")
    descending = score[order]
    sums = np.concatenate([[0.0], np.cumsum(gain[order])])
    sums[1:-1][descending[:-1] == descending[1:]] = -np.inf  # equal scores stop together
    return _cut(descending, int(sums.argmax()))


def _cut(descending: np.ndarray, count: int) -> float:
    """A finite threshold that the first `count` of falling scores reach: half way to the next one."""
    if count == 0:
        return float(np.nextafter(descending[0], np.inf))
    if count == len(descending):
        return float(descending[-1])
    middle = float((descending[count - 1] + descending[count]) / 2)
    return middle if middle > descending[count] else float(descending[count - 1])


@dataclasses.dataclass(frozen=True)
class ThresholdPath:
    """Threshold rules on one score, from cheap to dear, with what each reaches on the images it was fitted on."""

    thresholds: np.ndarray  # [L, K - 1]
    score: np.ndarray  # [n, K]
    correct: np.ndarray  # bool [n, K]
    cost: np.ndarray  # [K]
    outcomes: np.ndarray  # [L, 2]: accuracy, mean cost

    def solve(self, budget: float) -> np.ndarray:
        """The thresholds [K - 1] that are right most often within a budget of mean cost.

        Besides the path's points, the places between two of them where the cost crosses the budget are tried, by
        bisection. Where all of the path is over the budget, its cheapest point.
        """
        within = self.outcomes[:, 1] <= budget
        if not within.any():
            return self.thresholds[self.outcomes[:, 1].argmin()]
        best = self.thresholds[np.where(within, self.outcomes[:, 0], -1).argmax()]
        return max([best, *self._crossings(budget)], key=lambda thresholds: self._outcome(thresholds)[0])

    def spend(self, budget: float) -> np.ndarray:
        """The thresholds [K - 1] that come nearest to a budget of mean cost from below; else as `solve`.

        Of a score that is worth its price everywhere, those are expected to be right most often. What `solve` prefers
        may owe that to the images it was fitted on.
        """
        crossings = self._crossings(budget)
        return max(crossings, key=lambda thresholds: self._outcome(thresholds)[1]) if crossings else self.solve(budget)

    def _crossings(self, budget: float) -> list[np.ndarray]:
        """Thresholds [K - 1] on the path where the mean cost is just within the budget and soon over it."""
        within, found = self.outcomes[:, 1] <= budget, []
        for i in np.flatnonzero(within[:-1] != within[1:]):
            inside, outside = self.thresholds[[i, i + 1] if within[i] else [i + 1, i]]
            for _ in range(BISECTIONS):
                middle = (inside + outside) / 2
                inside, outside = (middle, outside) if self._outcome(middle)[1] <= budget else (inside, middle)
            found.append(inside)
        return found

    def _outcome(self, thresholds: np.ndarray) -> tuple[float, float]:
        return outcome(self.correct, self.cost, stop_by_threshold(self.score, thresholds))


def measured(thresholds: np.ndarray, score: np.ndarray, correct: np.ndarray, cost: np.ndarray) -> ThresholdPath:
    """A path of thresholds [L, K - 1], played on images."""
    outcomes = [outcome(correct, cost, stop_by_threshold(score, row)) for row in thresholds]
    return ThresholdPath(thresholds, score, correct, cost, np.array(outcomes))


def stop_by_patience(prediction: np.ndarray, patience: int) -> np.ndarray:
    """int [n]: the first exit that predicts what the `patience` exits before it predicted.

    Zhou et al. (2020), "BERT Loses Patience: Fast and Robust Inference with Early Exit".
    """
    stop = np.zeros(prediction.shape, bool)
    same = prediction[:, 1:] == prediction[:, :-1]
    for k in range(patience, prediction.shape[1]):
        stop[:, k] = same[:, k - patience : k].all(1)
    return first_stop(stop)


def stop_by_oracle(correct: np.ndarray) -> np.ndarray:
    """int [n]: the earliest exit that is right; the first where none is. Knows the labels: a bound, not a rule."""
    return np.where(correct.any(1), correct.argmax(1), 0)
