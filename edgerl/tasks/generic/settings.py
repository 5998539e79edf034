"""Settings of PPO for an environment that nobody has tuned it for, found by a short random play."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from edgerl.envs.conformance import check_environment
from edgerl.envs.conformance_case import ConformanceError
from edgerl.envs.environment import Environment
from edgerl.rl.heads import head_of
from edgerl.simulator.lanes import Transition
from edgerl.simulator.simulate import random_policy, simulate
from edgerl.util.errors import UserError

LANES, STEPS = 64, 256  # of the random play
LONGEST = 1000  # steps of an episode, where the environment has no limit of its own
DISCOUNT = 0.99
SHIPPED = "edgerl.tasks."  # modules of their environments
SMALL = 16  # features, for which a small network is enough


def require_sound(env: Environment) -> None:
    """Raises a `UserError` with the line of `edgerl.check_environment`, if the environment breaks a rule.

    The environments of the tasks that ship keep the rules, which the package's tests check: checking them again would
    take two of the five seconds that `edgerl train cartpole` needs.
    """
    if type(env).__module__.startswith(SHIPPED):
        return
    try:
        check_environment(env, num_steps=64)
    except ConformanceError as error:
        raise UserError(f"{error} (edgerl.check_environment)") from error


def horizon(env: Environment) -> int:
    """Steps of an episode at most: the parameters' `max_steps_in_episode`, as gymnax and Gymnasium have it."""
    limit = getattr(env.default_params, "max_steps_in_episode", None)
    return int(limit) if limit is not None and 1 <= limit < 10**6 else LONGEST


def of(env: Environment) -> dict[str, Any]:
    """Values of a `RunConfig`: what the environment's `training` says, if it has one, over those of `proposed`."""
    own: Mapping[str, Any] = getattr(env, "training", {})
    found = proposed(env)
    return {**found, **own, "ppo": {**found["ppo"], **own.get("ppo", {})}}


def proposed(env: Environment) -> dict[str, Any]:
    """Values of a `RunConfig`: sizes by the environment's, scales by what a random play sees.

    Raises:
      UserError: PPO cannot learn in it, since its actions have no bounds.
    """
    head_of(env.id, env.action_space(env.default_params))  # or the error
    longest = horizon(env)
    stats = simulate(
        env, random_policy(env), jax.random.key(0), num_envs=LANES, num_steps=min(STEPS, longest), trajectory=True
    )
    assert stats.trajectory is not None  # asked for
    seen = jax.tree.map(np.asarray, stats.trajectory)
    scale = observation_scale(seen.obs)
    width = 32 if len(scale) <= SMALL else 64
    return {
        "evaluation_steps": longest,
        "ppo": {
            "num_envs": 64,
            "num_steps": 128,
            "num_updates": 120,
            "epochs": 4,
            "num_minibatches": 16,
            "hidden_sizes": [width, width],
            "activation": "relu",
            "observation_scale": scale,
            "learning_rate": 3e-3,
            "discount": DISCOUNT,
            "entropy_coefficient": 0.01,
            "value_scale": value_scale(seen),
            "adam_b2": 0.99,
        },
    }


def observation_scale(obs: np.ndarray) -> list[float]:
    """For each feature of [..., F] the size that 99 % of its values do not exceed, to two digits; 1 where all are 0."""
    flat = np.abs(obs.reshape(-1, obs.shape[-1]).astype(np.float64))
    size = np.quantile(flat, 0.99, axis=0, method="higher")  # never between 0 and the rare value
    size = np.where(size > 0, size, flat.max(axis=0))
    return [_two_digits(x) if x > 1e-6 else 1.0 for x in size]


def value_scale(seen: Transition) -> float:
    """The size of discounted returns in play [T, N], to two digits; 1 where no reward was seen."""
    total = np.zeros(seen.reward.shape[1])
    sums = []
    for reward, ended in zip(seen.reward[::-1], (seen.terminated | seen.truncated)[::-1], strict=True):
        total = reward + DISCOUNT * np.where(ended, 0.0, total)
        sums.append(total)
    size = float(np.sqrt(np.mean(np.square(sums))))
    return _two_digits(size) if size > 1e-6 else 1.0


def _two_digits(x: float) -> float:
    return float(f"{x:.1e}")
