"""Judging a policy on images that nobody was fitted on, against every baseline and bound, by one accounting."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.early_exit.env import EXIT, EXTRAS, EarlyExit, EarlyExitParams, EarlyExitState, Extra
from edgerl.tasks.early_exit.evaluation.baselines import (
    best_shared_threshold,
    chosen,
    first_stop,
    search_thresholds,
    stop_by_oracle,
    stop_by_patience,
    stop_by_threshold,
)
from edgerl.tasks.early_exit.evaluation.bootstrap import summary
from edgerl.tasks.early_exit.evaluation.stopping import cross_validated_knots, fit_stopping
from edgerl.tasks.early_exit.factory import SPLITS, from_table
from edgerl.tasks.early_exit.goals import Goal
from edgerl.tasks.early_exit.table.features import Features, features
from edgerl.tasks.early_exit.table.table import Table
from edgerl.tasks.hardware.profiles import Profile

Policy = Callable[[Any, Any], Any]
VARYING = ("confidence", *EXTRAS)  # what of an observation differs between images
SCORES = {"entropy": "confidence", "max probability": "probability"}  # thresholds on what, by the field's name
BOUND = "optimal stopping"
OPTIMISTIC = "optimal stopping, fitted on the test images"  # flattered by them: above what can be had


@dataclasses.dataclass(frozen=True)
class Images:
    """All images of one split: what a policy sees of them and what stopping at each exit costs and pays."""

    env: EarlyExit
    features: Features
    observations: np.ndarray  # float32 [n, K, F]
    reward: np.ndarray  # float64 [n, K]

    @property
    def correct(self) -> np.ndarray:
        """bool [n, K]."""
        return self.features.correct

    @property
    def observed(self) -> np.ndarray:
        """float32 [n, K, V]: the numbers of the observation that differ between images."""
        return self.observations[..., [i for i, name in enumerate(self.env.names) if name in VARYING]]

    @property
    def costs(self) -> dict[str, np.ndarray]:
        """Cumulative costs float64 [K] by name."""
        p = self.env.default_params
        return {name: np.asarray(getattr(p, name), np.float64) for name in ("macs", "latency_ms", "energy_mj")}


def load_images(
    table: Table,
    split: str,
    profile: Goal | Profile | str,
    extras: tuple[Extra, ...] = (),
    preference: float | None = None,
    **params: float,
) -> Images:
    """The images of a split on a device; `preference` and `params` (of `EarlyExitParams`) as in its episodes."""
    env = from_table(table, split, profile, extras, draw_preference=preference is not None)
    p = dataclasses.replace(env.default_params, **params)
    env = dataclasses.replace(env, default_params=p)
    observations, reward = everywhere(env, p, preference)
    seen = features(table, table.rows(SPLITS[split]))
    return Images(env, seen, observations, reward)


def everywhere(env: EarlyExit, params: EarlyExitParams, preference: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Observations [n, K, F] and rewards of stopping [n, K] of all images."""
    images = params.words.shape[0] // env.exits

    def at(position: jax.Array) -> tuple[jax.Array, jax.Array]:
        liking = None if preference is None else jnp.float32(preference)
        budget = jnp.float32(1) if env.draw_budget else None
        state = EarlyExitState(position, budget, liking)
        return env.observe(state, params), env.reward(state, params)

    observations, reward = jax.jit(jax.vmap(at))(jnp.arange(images * env.exits))
    shape = (images, env.exits)
    return np.asarray(observations).reshape(*shape, -1), np.asarray(reward, np.float64).reshape(shape)


def actions_of(policy: Policy, observations: np.ndarray, seed: int = 0) -> np.ndarray:
    """int32 [...]: what a policy, `policy(key, observation) -> action`, does on float32 [..., F]."""
    flat = jnp.asarray(observations).reshape(-1, observations.shape[-1])
    keys = jax.random.split(jax.random.key(seed), len(flat))
    return np.asarray(jax.jit(jax.vmap(policy))(keys, flat)).reshape(observations.shape[:-1])


def exits_of(policy: Policy, observations: np.ndarray, seed: int = 0) -> np.ndarray:
    """int [n]: where a policy stops images seen as float32 [n, K, F]."""
    return first_stop(actions_of(policy, observations, seed) == EXIT)


def evaluate_policy(policy: Policy, fit: Images, test: Images, seed: int = 0) -> dict[str, Any]:
    """A policy on the test images, beside all rules; these are fitted on the images `fit` of the policy split.

    Args:
      policy: `policy(key, observation) -> action`.
      seed: of the policy's random choices, if it makes any.
    Returns:
      {"images", "policy": report, "rules": {name: report}, "bound": name of the rule that is the bound,
      "share_of_bound"}, where a report has accuracy, macs, latency_ms, energy_mj and reward, each with its mean and
      its bootstrap interval, and the share of images that stops at each exit.
    """
    rules = {name: report(test, exits) for name, exits in stopping_exits(fit, test).items()}
    judged = report(test, exits_of(policy, test.observations, seed))
    share = share_of_bound(judged["reward"]["mean"], rules[BOUND]["reward"]["mean"])
    return {"images": len(test.reward), "policy": judged, "rules": rules, "bound": BOUND, "share_of_bound": share}


def stopping_exits(fit: Images, test: Images) -> dict[str, np.ndarray]:
    """Where each rule stops the test images, int [n]: fitted on the images `fit` to earn the most reward."""
    images, exits = test.reward.shape
    rules = {f"exit {k + 1}": np.full(images, k) for k in range(exits)}
    for name, field in SCORES.items():
        score, judged = (np.asarray(getattr(x.features, field), np.float64) for x in (fit, test))
        rules[f"{name}, one threshold"] = stop_by_threshold(judged, best_shared_threshold(score, fit.reward))
        rules[f"{name}, a threshold an exit"] = stop_by_threshold(judged, search_thresholds(score, fit.reward))
    patience = max(
        range(1, exits), key=lambda p: chosen(fit.reward, stop_by_patience(fit.features.prediction, p)).mean()
    )
    rules["patience"] = stop_by_patience(test.features.prediction, patience)
    knots = cross_validated_knots(fit.observed, fit.reward)
    rules[BOUND] = fit_stopping(fit.observed, fit.reward, knots).exits(test.observed)
    rules[OPTIMISTIC] = fit_stopping(test.observed, test.reward, knots).exits(test.observed)
    rules["oracle"] = stop_by_oracle(test.correct)
    return rules


def report(images: Images, exits: np.ndarray) -> dict[str, Any]:
    """What images that stop at `exits` [n] reach and cost."""
    costs = {name: summary(cost[exits]) for name, cost in images.costs.items()}
    return {
        "accuracy": summary(chosen(images.correct, exits)),
        **costs,
        "reward": summary(chosen(images.reward, exits)),
        "exits": (np.bincount(exits, minlength=images.reward.shape[1]) / len(exits)).tolist(),
    }


def share_of_bound(reward: float, bound: float) -> float:
    """1 where the bound is reached; what is missing counts as a share of the bound's magnitude."""
    return 1 - (bound - reward) / max(abs(bound), 1e-9)
