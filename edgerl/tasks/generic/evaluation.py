"""Whole episodes of random play, of the environment's baselines, of a policy, and of its int8 form."""

from collections.abc import Mapping
from typing import Any

import chex
import jax
import numpy as np

from edgerl.envs.deciding import Policy, Remembering, Wrapped
from edgerl.envs.environment import Environment, Params
from edgerl.rl.evaluation import Episodes, play_episodes
from edgerl.simulator.simulate import random_policy, simulate
from edgerl.tasks.generic.calibration import with_states
from edgerl.tasks.run import Run
from edgerl.util import progress
from edgerl.util.content import jit_by_content
from edgerl.util.tables import Rows

EPISODES = 2000
_DRIFT_LANES, _DRIFT_STEPS = 64, 1000
_WIDTH = 1.96  # standard errors, of a 95 % interval


def evaluate(run: Run, deployed: Policy) -> dict[str, Any]:
    """Returns and lengths of each player, all from the same starts, and what the policy is ahead of random play.

    Args:
      deployed: the int8 policy.
    """
    players: dict[str, Policy] = {**opponents(run.env), "policy_float32": run.policy, "policy_int8": deployed}
    played = {name: episodes(run, player) for name, player in progress.each(players.items(), "episodes")}
    ahead = np.asarray(played["policy_int8"].returns, np.float64) - np.asarray(played["random"].returns, np.float64)
    return {
        "environment": run.env.id,
        "most_steps": run.config.evaluation_steps,
        **{name: summary(one) for name, one in played.items()},
        "int8_ahead_of_random": _interval(ahead),
    }


def opponents(env: Environment) -> dict[str, Policy]:
    """Whom a policy is compared with, by name: random play, and the environment's own `baselines` if it has some."""
    return {"random": random_policy(env), **getattr(env, "baselines", {})}


def episodes(run: Run, policy: Policy, count: int = EPISODES) -> Episodes:
    """The first episode of each of so many environments, from starts that training never saw.

    More than `EPISODES` are played that many at a time, the first of them as if they were all.
    """
    data = all(isinstance(x, (jax.Array, np.ndarray)) for x in jax.tree.leaves(policy)) and jax.tree.leaves(policy)
    static, given = (None, policy) if data else (policy, None)
    steps, key = run.config.evaluation_steps, run.key(1001)
    parts = []
    for i in progress.each(range(-(-count // EPISODES)), "thousands of episodes"):
        part = key if i == 0 else jax.random.fold_in(key, i)
        played = _play(run.env, static, given, part, run.env.default_params, min(count, EPISODES), steps)
        parts.append(jax.tree.map(np.asarray, played))
    return jax.tree.map(lambda *x: np.concatenate(x)[:count], *parts)


def drift(run: Run, player: Policy) -> dict[str, float]:
    """How far the int8 memory is from the float one when both see what the int8 policy's episodes show.

    Returns:
      mean, quantile_99, max over all numbers of all steps, in 128ths of a memory's range from 0 to 1: the unit of int8.
      late: the mean over the last tenth of the steps, which is larger where errors add up.
    """
    steps = min(run.config.evaluation_steps, _DRIFT_STEPS)
    played = simulate(run.env, player, run.key(1004), num_envs=_DRIFT_LANES, num_steps=steps, trajectory=True)
    assert played.trajectory is not None  # asked for
    features = played.trajectory.obs.shape[-1]
    exact, rounded = (np.asarray(with_states(p, played.trajectory))[..., features:] for p in (run.policy, player))
    far = np.abs(128 * exact - rounded)
    late = far[-max(1, len(far) // 10) :]
    numbers = {"mean": far.mean(), "quantile_99": np.quantile(far, 0.99), "max": far.max(), "late": late.mean()}
    return {name: float(value) for name, value in numbers.items()}


@jit_by_content("env", "static", "count", "steps")
def _play(
    env: Environment, static: Any, given: Any, key: chex.PRNGKey, params: Params, count: int, steps: int
) -> Episodes:
    policy = given if static is None else static

    return play_episodes(env, _together(policy, count), key, params, count, steps)


def _together(policy: Policy, count: int) -> Policy:
    """A policy of so many environments at once, each with a key of its own."""

    def all_at_once(key: chex.PRNGKey, *seen: Any) -> Any:
        return jax.vmap(policy)(jax.random.split(key, count), *seen)

    return Wrapped(policy, all_at_once) if isinstance(policy, Remembering) else all_at_once


def summary(played: Episodes) -> dict[str, Any]:
    """Plain numbers: of the returns also the 95 % confidence interval of their mean."""
    returns, lengths = np.asarray(played.returns, np.float64), np.asarray(played.lengths, np.float64)
    return {
        "episodes": len(returns),
        **_interval(returns),
        "std": float(returns.std()),
        "min": float(returns.min()),
        "max": float(returns.max()),
        "mean_length": float(lengths.mean()),
    }


def table(found: Mapping[str, Any]) -> Rows:
    """A row a player, and what the int8 policy is ahead of random play."""
    rows: list[list[Any]] = [[found["environment"], "mean return", "low 95 %", "high 95 %", "least", "most", "steps"]]
    players = {name: one for name, one in found.items() if isinstance(one, Mapping) and "mean_length" in one}
    for name, one in players.items():
        rows.append([name, *(one[key] for key in ("mean", "low", "high", "min", "max", "mean_length"))])
    ahead = found["int8_ahead_of_random"]
    return [*rows, ["int8 ahead of random", ahead["mean"], ahead["low"], ahead["high"]]]


def _interval(values: np.ndarray) -> dict[str, float]:
    half = _WIDTH * float(values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}
