"""CartPole from training to verified C: what `edgerl train cartpole` and the commands after it do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import edgerl
from edgerl import deploy
from edgerl.envs.deciding import Policy
from edgerl.envs.policy import MLPPolicy
from edgerl.rl.config import RunConfig
from edgerl.rl.run import runner
from edgerl.simulator.simulate import SimulationStats, random_policy
from edgerl.tasks import runs
from edgerl.tasks.cartpole import baselines
from edgerl.tasks.cartpole import figures as pictures
from edgerl.tasks.cartpole.env import CartPole
from edgerl.util import config as configuration
from edgerl.util import files

SYSTEM = "cartpole"
SOLVED = {"CartPole-v0": 195.0, "CartPole-v1": 475.0}
EPISODES = 10_000  # that every judgement takes
_OBSERVATIONS = 20_000  # for calibration and its judgement, with every fifth action random
_DISTURBANCE = 0.2


def train(config: str | None, overrides: Sequence[str], out: str | Path) -> dict[str, Any]:
    """Trains, or goes on with an unfinished run of the same configuration. See `agents.runner.train_run`."""
    settings = configuration.load(RunConfig, config, overrides, Path(__file__).with_name("defaults.yaml"))
    return runner.train_run(_environment(settings), settings, out, about={"system": SYSTEM})


def evaluate(run: str | Path) -> dict[str, Any]:
    """Returns over fresh episodes: random play, a hand-made controller, the policy as float32 and int8; the bound."""
    loaded = runs.load(run)
    env, policy, seed = _environment(loaded.config), loaded.policy, loaded.config.seed
    quantised = deploy.quantise(policy, _calibration(env, policy, seed))
    players: dict[str, Policy] = {
        "random": random_policy(env),
        "linear_controller": baselines.linear_controller,
        "policy_float32": policy,
        "policy_int8": quantised,
    }
    return {
        "system": SYSTEM,
        "environment": env.id,
        "solved_at": SOLVED[env.id],
        "bound": env.default_params.max_steps_in_episode,
        **{name: summary(judge(env, player, seed)) for name, player in players.items()},
    }


def figures(run: str | Path, data: str | None = None) -> list[Path]:
    """Learning curve, early and late animations, int8 decisions against float ones, in RUN/figures."""
    if data is not None:
        raise edgerl.UserError("--data: the figures of cartpole need no data")
    loaded = runs.load(run)
    env, policy, seed = _environment(loaded.config), loaded.policy, loaded.config.seed
    folder = loaded.folder / "figures"
    steps, returns = runs.learning_curve(loaded)
    before = runner.start(env, loaded.config.ppo, runner.keys(loaded.config)[0], env.default_params)
    untrained = runner.seed_policy(env, loaded.config, before, loaded.result["best_seed"])
    quantised = deploy.quantise(policy, _calibration(env, policy, seed))
    key = _key(seed, "animation")
    return [
        pictures.learning_curve(folder / "learning_curve.png", steps, returns, SOLVED[env.id]),
        pictures.animation(folder / "early.gif", env, untrained, key),
        pictures.animation(folder / "late.gif", env, policy, key),
        pictures.decisions(folder / "decisions.png", policy, quantised),
    ]


def export(run: str | Path, out: str | Path) -> dict[str, Any]:
    """The deployment folder; see `deploy.export`. Its report has the closed-loop returns of the int8 policy."""
    files.must_be_new(out)
    loaded = runs.load(run)
    env, policy, seed = _environment(loaded.config), loaded.policy, loaded.config.seed
    return deploy.export(
        policy,
        _calibration(env, policy, seed),
        out,
        env=env,
        closed_loop=lambda player: summary(judge(env, player, seed)),
    )


def judge(env: CartPole, policy: Policy, seed: int) -> SimulationStats:
    """At least `EPISODES` whole episodes, one a lane, from starts that training never saw."""
    steps = env.default_params.max_steps_in_episode
    return edgerl.simulate(env, policy, _key(seed, "judgement"), num_envs=EPISODES, num_steps=steps)


def summary(stats: SimulationStats) -> dict[str, Any]:
    """Plain numbers of the returns."""
    returns = stats.as_dict()["returns"]
    return {"episodes": stats.episodes, **returns}


def _environment(settings: RunConfig) -> CartPole:
    if settings.environment not in SOLVED:
        raise edgerl.UserError(f"environment: '{settings.environment}' is not one of {', '.join(SOLVED)}")
    env = edgerl.make(settings.environment)
    assert isinstance(env, CartPole)  # by the registry
    return env


def _calibration(env: CartPole, policy: MLPPolicy, seed: int) -> np.ndarray:
    """float32 [_OBSERVATIONS, 4], recovery states among them."""
    return baselines.visited_observations(env, policy, _key(seed, "calibration"), _OBSERVATIONS, _DISTURBANCE)


def _key(seed: int, purpose: str) -> jax.Array:
    """A key of its own for each purpose, none of which training uses."""
    return jax.random.fold_in(
        jax.random.key(seed), {"judgement": 1001, "calibration": 1002, "animation": 1003}[purpose]
    )
