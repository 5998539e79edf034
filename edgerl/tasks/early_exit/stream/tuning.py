"""Rules fitted to a stream by CMA-ES, many candidates at once, each on devices of its own."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import numpy as np

from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.play import DAY_S, play
from edgerl.tasks.early_exit.stream.rules import FEATURES, Rule

_START, _STEP = 0.6, 0.25  # of the thresholds, and how far the first candidates are from them
_LAST = 8  # times as many devices compare the mean of the last candidates with the best of all


@dataclasses.dataclass(frozen=True)
class Tuned:
    """A rule, its right answers per 100 frames where it was fitted, and how many decisions that took."""

    rule: Rule
    score: float
    decisions: int


def tune(
    env: ExitStream,
    columns: Sequence[int],
    key: jax.Array,
    generations: int = 30,
    candidates: int = 16,
    devices: int = 16,
    seconds: float = DAY_S,
    burn_s: float = DAY_S / 4,
) -> Tuned:
    """The best rule found whose thresholds move with these columns of `rules.FEATURES`.

    Args:
      env: on the images that it is fitted to; right answers per 100 frames are maximised.
      columns: see `rules.FAMILIES`. Which frame is taken, when to wait awake and what to keep in reserve is fitted too.
      generations, candidates: of CMA-ES; devices: of each candidate, for so many seconds after `burn_s`.
    """
    decisions = 0

    def scores(points: np.ndarray, number: int, devices: int) -> np.ndarray:
        nonlocal decisions
        rules = _rule(np.repeat(points, devices, axis=0).T, env.exits, columns)
        played = play(env, rules, jax.random.fold_in(key, number), len(points) * devices, seconds, burn_s)
        decisions += int(played.decisions.sum())
        right, arrived = (x.reshape(len(points), devices).sum(1) for x in (played.right, played.arrived))
        return 100 * right / arrived

    size = (env.exits - 1) * len(columns)
    start = np.zeros(size + 3)
    start[: size : len(columns)] = _START
    start[size] = 0.3
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    found = cma_es(lambda points, g: -scores(points, g, devices), start, _STEP, generations, candidates, rng)
    last = scores(np.stack(found), generations, devices * _LAST)
    return Tuned(_rule(found[int(last.argmax())], env.exits, columns), float(last.max()), decisions)


def _rule(point: np.ndarray, exits: int, columns: Sequence[int]) -> Rule:
    """Of numbers [D] or, for as many lanes, [D, lanes]: the thresholds' weights, and what else a rule has."""
    point = np.asarray(point, np.float32)
    weights = np.zeros((exits - 1, len(FEATURES), *point.shape[1:]), np.float32)
    weights[:, list(columns)] = point[:-3].reshape(exits - 1, len(columns), *point.shape[1:])
    awake, reserve, newest = point[-3:]
    return Rule(weights, newest=newest + np.float32(0.5), awake=awake, reserve=reserve)


def cma_es(
    cost: Callable[[np.ndarray, int], np.ndarray],
    start: np.ndarray,
    step: float,
    generations: int,
    candidates: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimises a noisy function: (the mean of the last candidates, the best candidate seen), float64 [D] each.

    Reference: Hansen, "The CMA Evolution Strategy: A Tutorial", 2016, with its default parameters.

    Args:
      cost: of candidates [candidates, D] of a generation with its number.
    """
    size, mean, sigma = len(start), np.array(start, np.float64), step
    weights = np.log((candidates + 1) / 2) - np.log(np.arange(1, candidates // 2 + 1))
    weights /= weights.sum()
    effective = 1 / (weights**2).sum()
    c_sigma = (effective + 2) / (size + effective + 5)
    damping = 1 + 2 * max(0.0, np.sqrt((effective - 1) / (size + 1)) - 1) + c_sigma
    c_path = (4 + effective / size) / (size + 4 + 2 * effective / size)
    c_one = 2 / ((size + 1.3) ** 2 + effective)
    c_rank = min(1 - c_one, 2 * (effective - 2 + 1 / effective) / ((size + 2) ** 2 + effective))
    expected = np.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2))
    covariance, path, path_sigma = np.eye(size), np.zeros(size), np.zeros(size)
    best, least = mean, np.inf
    for generation in range(generations):
        values, vectors = np.linalg.eigh(covariance)
        scale = np.sqrt(np.maximum(values, 1e-20))
        steps = (rng.normal(size=(candidates, size)) * scale) @ vectors.T
        costs = cost(mean + sigma * steps, generation)
        order = np.argsort(costs)
        if costs[order[0]] < least:
            best, least = mean + sigma * steps[order[0]], costs[order[0]]
        chosen = steps[order[: len(weights)]]
        moved = weights @ chosen
        mean = mean + sigma * moved
        whitened = vectors @ ((vectors.T @ moved) / scale)
        path_sigma = (1 - c_sigma) * path_sigma + np.sqrt(c_sigma * (2 - c_sigma) * effective) * whitened
        length = np.linalg.norm(path_sigma)
        going = length / np.sqrt(1 - (1 - c_sigma) ** (2 * generation + 2)) < (1.4 + 2 / (size + 1)) * expected
        path = (1 - c_path) * path + going * np.sqrt(c_path * (2 - c_path) * effective) * moved
        kept = 1 - c_one - c_rank + (not going) * c_one * c_path * (2 - c_path)
        covariance = kept * covariance + c_one * np.outer(path, path) + c_rank * (chosen.T * weights) @ chosen
        sigma *= np.exp(min(1.0, (length / expected - 1) * c_sigma / damping))
    return mean, best
