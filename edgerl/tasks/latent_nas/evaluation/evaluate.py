"""Judging an agent: where its walks end, and what searches find with as many evaluations of the surrogate."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.deciding import Policy
from edgerl.tasks.latent_nas.env import LatentNAS, LatentNASParams
from edgerl.tasks.latent_nas.evaluation import baselines, bayesian
from edgerl.tasks.latent_nas.evaluation.exhaustive import best_of_codes
from edgerl.tasks.latent_nas.models.surrogate import predict
from edgerl.tasks.latent_nas.table.space import as_dict, buildable, in_high_group, parameter_count
from edgerl.util.content import jit_by_content

STARTS = 1000
SMALL = 250_000  # parameters
RUNS = 100  # of each search but the slow one
_SEARCHES: dict[str, Callable[..., chex.Array]] = {
    "random": baselines.random_search,
    "greedy look-ahead": baselines.greedy_search,
    "regularised evolution": baselines.evolution,
}


@struct.dataclass
class Walks:
    """One episode of each of N environments. Latents of steps after the end repeat the last one."""

    latents: chex.Array  # float32 [T + 1, N, 8]
    steps: chex.Array  # int32 [N], evaluations of the surrogate: actions but stopping
    stopped: chex.Array  # bool [N]
    scores: chex.Array  # float32 [N], of the last network


@jit_by_content("env", "policy", "count", "most_steps")
def _walk(
    env: LatentNAS,
    policy: Policy | None,
    data: Any,
    key: chex.PRNGKey,
    params: LatentNASParams,
    count: int,
    most_steps: int,
    weights: chex.Array | None,
) -> Walks:
    act = data if policy is None else policy
    start_key, key = jax.random.split(key)
    obs, state = jax.vmap(lambda k: env.reset(k, params))(jax.random.split(start_key, count))
    if weights is not None:
        state = dataclasses.replace(state, weights=weights)
        obs = jax.vmap(env.observe)(state)

    def step(carry: tuple[Any, ...], key: chex.PRNGKey) -> tuple[tuple[Any, ...], chex.Array]:
        obs, state, alive, stopped, steps = carry
        actions = jax.vmap(act)(jax.random.split(key, count), obs)
        new_obs, new, _, terminated, truncated, _ = jax.vmap(lambda s, a: env.step(key, s, a, params))(state, actions)
        keep = jax.vmap(lambda a, new, old: jax.tree.map(lambda x, y: jnp.where(a, x, y), new, old))
        obs, state = keep(alive, (new_obs, new), (obs, state))
        steps = steps + (alive & ~terminated)
        return (obs, state, alive & ~(terminated | truncated), stopped | (alive & terminated), steps), state.latent

    no = jnp.zeros(count, bool)
    carry = (obs, state, ~no, no, jnp.zeros(count, jnp.int32))
    (_, last, _, stopped, steps), latents = jax.lax.scan(step, carry, jax.random.split(key, most_steps))
    scores = jax.vmap(lambda s: env.score(s.latent, params, s.weights))(last)
    return Walks(jnp.concatenate([state.latent[None], latents]), steps, stopped, scores)


def walk(
    env: LatentNAS, policy: Any, key: chex.PRNGKey, count: int = STARTS, weights: np.ndarray | None = None
) -> Walks:
    """Plays a policy from `count` fresh starts to the end, with `weights` [count, 3] where they are not to be drawn."""
    data = jax.tree.leaves(policy)
    most = int(env.default_params.max_steps_in_episode)
    static, traced = (None, policy) if data and not callable(data[0]) else (policy, None)
    return jax.tree.map(np.asarray, _walk(env, static, traced, key, env.default_params, count, most, weights))


@dataclasses.dataclass(frozen=True)
class Doubts:
    """Why something cannot be said of networks, see `trust`; None where it can."""

    rule: str | None = None
    surrogate: str | None = None


NO_DOUBTS = Doubts()


def architectures(env: LatentNAS, walks: Walks, doubts: Doubts = NO_DOUBTS) -> list[dict[str, Any]]:
    """Every walk's last network: genes under their published names, and all that is known of it."""
    genes = baselines.genes_of(env.default_params, walks.latents[-1])
    surrogate = env.default_params.surrogate
    made = predict(surrogate, genes)
    low, high = surrogate.interval(made)
    sizes, fit, good = parameter_count(genes.astype(np.int64)), buildable(genes), in_high_group(genes)
    return [
        {
            "architecture": as_dict(genes[i]),
            "parameters": int(sizes[i]),
            "predicted_accuracy": float(made.accuracy[i]),
            "uncertainty": float(made.uncertainty[i]),
            "interval_90_percent": [float(low[i]), float(high[i])],
            "predicted_AVM": float(made.avm[i]),
            "score": float(walks.scores[i]),
            "steps": int(walks.steps[i]),
            "stopped": bool(walks.stopped[i]),
            "buildable": bool(fit[i]),
            "high_group": bool(good[i]) if doubts.rule is None else None,
        }
        for i in range(len(genes))
    ]


def summary(found: list[dict[str, Any]], bound: float, doubts: Doubts = NO_DOUBTS) -> dict[str, Any]:
    """Of final networks: means, the share of the bound, and how many are real.

    What would mean nothing is None, and `reasons` says why.
    """

    def column(name: str) -> np.ndarray:
        return np.array([one[name] for one in found])

    sizes = column("parameters")
    score = float(column("score").mean())
    reasons = {}
    if doubts.surrogate is not None:
        reasons["share_of_bound"] = doubts.surrogate
    elif bound <= 0:
        reasons["share_of_bound"] = f"the bound is {bound:.3g}: of what is not above 0 there is no share"
    real = column("buildable") & column("high_group") if doubts.rule is None else None
    if real is None:
        names = ("buildable_and_high_group", "and_within_250000_parameters", "least_parameters")
        reasons |= dict.fromkeys(names, str(doubts.rule))
    return {
        "starts": len(found),
        "mean_score": score,
        "share_of_bound": score / bound if "share_of_bound" not in reasons else None,
        "mean_predicted_accuracy": float(column("predicted_accuracy").mean()),
        "mean_steps": float(column("steps").mean()),
        "stopped": float(column("stopped").mean()),
        "buildable": float(column("buildable").mean()),
        "buildable_and_high_group": None if real is None else float(real.mean()),
        "and_within_250000_parameters": None if real is None else float((real & (sizes <= SMALL)).mean()),
        "median_parameters": float(np.median(sizes)),
        "least_parameters": None if real is None or not real.any() else int(sizes[real].min()),
        **({"reasons": reasons} if reasons else {}),
    }


def equal_evaluations(
    env: LatentNAS, walks: Walks, key: chex.PRNGKey, counts: Sequence[int], bayesian_runs: int, runs: int = RUNS
) -> dict[str, dict[str, dict[str, float]]]:
    """The best scores of runs with as many evaluations of the surrogate, for each of `counts`; see `_spread`.

    The agent walks again and again from fresh starts until the evaluations are used up. Those of its training are not
    counted: see `training_counted`. Bayesian optimisation, slow, has `bayesian_runs`; with 0 it is left out.
    """
    table: dict[str, dict[str, dict[str, float]]] = {name: {} for name in ("agent", *_SEARCHES)}
    for number, evaluations in enumerate(counts):
        table["agent"][str(evaluations)] = _spread(repeated(env, walks, evaluations, runs))
        for name, found in _searched(env, jax.random.fold_in(key, number), evaluations, runs).items():
            table[name][str(evaluations)] = _spread(found)
    if bayesian_runs and bayesian.available():
        table["Bayesian optimisation (Optuna)"] = {
            str(n): _spread(bayesian.bayesian_search(env, n, bayesian_runs)) for n in counts
        }
    return table


def training_counted(
    env: LatentNAS, walks: Walks, key: chex.PRNGKey, evaluations: int, runs: int = RUNS
) -> dict[str, Any]:
    """One walk of the agent, its training's `evaluations` spread over all walks, against searches with as many each."""
    each = math.ceil(evaluations / len(walks.steps) + float(walks.steps.mean()))
    searched = {name: _spread(found) for name, found in _searched(env, key, each, runs).items()}
    return {
        "evaluations_of_training": evaluations,
        "evaluations_a_start": each,
        "best_score": {"agent": _spread(walks.scores), **searched},
    }


def _searched(env: LatentNAS, key: chex.PRNGKey, evaluations: int, runs: int) -> dict[str, np.ndarray]:
    """The best scores [runs] of every search."""
    params = env.default_params
    return {
        name: np.asarray(search(env, params, jax.random.fold_in(key, i), evaluations, runs))
        for i, (name, search) in enumerate(_SEARCHES.items())
    }


def _spread(scores: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation and least of the scores of runs, and how many these are."""
    return {"mean": float(scores.mean()), "std": float(scores.std()), "least": float(scores.min()), "runs": len(scores)}


def repeated(env: LatentNAS, walks: Walks, evaluations: int, runs: int, seed: int = 0) -> np.ndarray:
    """Best score [runs] of the first `evaluations` networks of walks drawn with replacement, one after another.

    An action is an evaluation; the start is none, unless the agent stops there, nor is stopping.
    """
    rng = np.random.default_rng(seed)
    most = int(np.minimum(walks.steps.max(), evaluations)) + 1
    score = jax.jit(jax.vmap(jax.vmap(lambda z: env.score(z, env.default_params))))
    scores = np.asarray(score(walks.latents[:most]))
    best = np.full(runs, -np.inf)
    for run in range(runs):
        left = evaluations
        while left > 0:
            walk = rng.integers(len(walks.steps))
            steps = int(walks.steps[walk])
            seen = scores[1 : min(steps, left) + 1, walk] if steps else scores[:1, walk]
            best[run] = max(best[run], seen.max())
            left -= max(steps, 1)
    return best


def evaluate_policy(
    env: LatentNAS,
    policy: Any,
    random: Policy,
    key: chex.PRNGKey,
    *,
    counts: Sequence[int],
    training: int,
    bayesian_runs: int,
    exhaustive: bool,
    doubts: Doubts = NO_DOUBTS,
) -> tuple[dict[str, Any], Walks]:
    """The agent and random actions from the same fresh starts, against searches and bounds; and the agent's walks.

    `counts`, `bayesian_runs`: see `equal_evaluations`. `training`: how many evaluations the agent has learnt from.
    `exhaustive`: whether to try all latents made of codes, too. `doubts`: what not to say.
    """
    walk_key, bound_key, search_key = jax.random.split(key, 3)
    scores, _ = baselines.ascent(env, env.default_params, bound_key)
    bounds = {"ascent": float(scores.max())}
    if exhaustive:
        bounds["exhaustive"] = best_of_codes(env, env.default_params)[0]
    bound = max(bounds.values())
    walks, wandering = walk(env, policy, walk_key), walk(env, random, walk_key)
    judged = {
        "bounds": bounds,
        "agent": summary(architectures(env, walks, doubts), bound, doubts),
        "random_actions": summary(architectures(env, wandering, doubts), bound, doubts),
        "best_score_at_equal_evaluations": equal_evaluations(env, walks, search_key, counts, bayesian_runs),
        "training_counted": training_counted(env, walks, jax.random.fold_in(search_key, len(counts)), training),
    }
    return judged, walks
