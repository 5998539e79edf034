"""Latent NAS from training to verified C: what `edgerl train latent-nas` and the commands after it do."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl import deploy
from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.rl.run import runner
from edgerl.simulator.simulate import random_policy, simulate
from edgerl.tasks import runs
from edgerl.tasks.latent_nas import factory
from edgerl.tasks.latent_nas import figures as pictures
from edgerl.tasks.latent_nas.env import LatentNAS
from edgerl.tasks.latent_nas.evaluation import evaluate as judgement
from edgerl.tasks.latent_nas.evaluation.front import front
from edgerl.tasks.latent_nas.models.build import BuildConfig, build
from edgerl.tasks.latent_nas.table import trust
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.config import field
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError

SYSTEM = "latent-nas"
MODELS = "models.npz"  # the frozen networks of this run
JUDGEMENT, ARCHITECTURES = "judgement.json", "architectures.json"

# The discount is short: a greedy policy that learns to wander is caught in circles of actions that change nothing.
_PPO = PPOConfig(
    num_updates=150,
    num_envs=1024,
    num_steps=8,
    epochs=4,
    num_minibatches=8,
    hidden_sizes=(32, 32),
    activation="relu",
    learning_rate=3e-3,
    discount=0.95,
    gae_lambda=0.95,
    entropy_coefficient=0.01,
    value_scale=3.0,
)


@dataclasses.dataclass(frozen=True)
class LatentNASConfig(RunConfig):
    """A run: policies for one latent space, of which the best seed is kept."""

    environment: str = field("LatentNAS-v0", "id of the environment", choices=("LatentNAS-v0",))
    num_seeds: int = field(2, "policies trained side by side", low=1)
    evaluation_envs: int = field(1000, "episodes to choose the best seed by, and as many to judge it by", low=1)
    evaluation_steps: int = field(200, "of an episode at most", low=1)
    ppo: PPOConfig = _PPO
    data: str | None = field(None, "a CSV file as AnalogNAS's, to train the latent space on; none: the shipped one")
    build: BuildConfig = dataclasses.field(default_factory=BuildConfig)
    history: int = field(0, "past actions that the policy sees", low=0, high=200)
    budget: float | None = field(None, "parameters that a network may have; none: as many as it likes", low=1)
    pessimism: float = field(1.0, "times the surrogate's uncertainty is taken off its accuracy", low=0)
    weighed: bool = field(False, "weigh accuracy, parameters and AVM, by weights drawn for every episode and observed")
    shaped: bool = field(True, "learn by rewards that count from the start's own score, and tell small differences")
    step_cost: float = field(0.05, "what an action must add to the reward to be worth it", low=0)
    evaluations: tuple[int, ...] = field((10, 100, 1000), "of the surrogate, at which searches are compared", low=2)
    bayesian_runs: int = field(3, "of Bayesian optimisation by Optuna, if installed: a minute each; 0: none", low=0)
    exhaustive: bool = field(False, "judge against all 14^8 latents made of codes, too: many minutes")


def train(config: str | None, overrides: Sequence[str], out: str | Path) -> dict[str, Any]:
    """Trains the latent space if there is data, then the policy, or goes on with an unfinished run of the same."""
    settings = configuration.load(LatentNASConfig, config, overrides)
    models = factory.load_models() if settings.data is None else build(settings.data, settings.build)
    env = environment(settings, models, shaped=settings.shaped)
    notes = trust.notes(models.provenance)
    runs.tell(notes)
    about: dict[str, Any] = {"system": SYSTEM}
    if settings.data is not None:
        about |= {"table": models.provenance["table"]["file"], **({"notes": notes} if notes else {})}
    result = runner.train_run(env, settings, out, about=about)
    if processes.is_first():
        factory.save_models(Path(out) / MODELS, models)
    return {**result, "models": models.provenance}


def evaluate(run: str | Path) -> dict[str, Any]:
    """1,000 fresh starts against searches and bounds, or where objectives are weighed the front of accuracy against
    parameters; kept in RUN/judgement.json, the networks found in RUN/architectures.json."""
    loaded, models, env = _load(run)
    key = jax.random.fold_in(jax.random.key(loaded.config.seed), 1001)  # which training does not use
    settings, notes = loaded.config, trust.notes(models.provenance)
    doubts = _doubts(models)
    runs.tell(notes)
    if settings.weighed:  # there is no one best score, which searches could be compared by
        judged, walks = {"front": front(env, loaded.policy, key, doubts)}, judgement.walk(env, loaded.policy, key)
    else:
        judged, walks = judgement.judge(
            env,
            loaded.policy,
            random_policy(env),
            key,
            counts=settings.evaluations,
            training=settings.ppo.total_steps * settings.num_seeds,
            bayesian_runs=settings.bayesian_runs,
            exhaustive=settings.exhaustive,
            doubts=doubts,
        )
    files.write_json(loaded.folder / ARCHITECTURES, judgement.architectures(env, walks, doubts))
    result = {"system": SYSTEM, "environment": env.id, **judged, "models": models.provenance}
    if notes:
        result["notes"] = notes
    files.write_json(loaded.folder / JUDGEMENT, result)
    return result


def figures(run: str | Path, data: str | None = None) -> list[Path]:
    """Latent space, trajectories, reward and length, accuracy against parameters, in RUN/figures."""
    if data is not None:
        raise UserError("--data: the figures of latent-nas need no data")
    loaded, models, env = _load(run)
    key = jax.random.fold_in(jax.random.key(loaded.config.seed), 1002)
    walks = judgement.walk(env, loaded.policy, key)
    wandering = judgement.walk(env, random_policy(env), key)
    found, lost = (judgement.architectures(env, w, _doubts(models)) for w in (walks, wandering))
    steps, returns = runs.learning_curve(loaded)
    lengths = runs.learning_curve(loaded, "episode_length")[1]
    folder = loaded.folder / "figures"
    return [
        pictures.latent_space(folder / "latent_space.png", env, key),
        pictures.trajectories(folder / "trajectories.png", env, key, walks),
        pictures.curves(folder / "reward_and_length.png", steps, returns, lengths),
        pictures.accuracy_and_parameters(folder / "accuracy_parameters.png", found, lost, loaded.config.budget),
    ]


def export(run: str | Path, out: str | Path) -> dict[str, Any]:
    """The deployment folder; see `deploy.export`. Its report has what the int8 policy finds from 1,000 starts."""
    files.must_be_new(out)
    loaded, _, env = _load(run)
    key = jax.random.fold_in(jax.random.key(loaded.config.seed), 1003)
    calibration_key, judge_key = jax.random.split(key)

    def closed_loop(player: Any) -> dict[str, Any]:
        walks = {name: judgement.walk(env, p, judge_key) for name, p in (("float32", loaded.policy), ("int8", player))}
        return {
            name: {"mean_score": float(w.scores.mean()), "mean_steps": float(w.steps.mean())}
            for name, w in walks.items()
        }

    return deploy.export(
        loaded.policy,
        _seen(env, loaded.policy, calibration_key),
        out,
        env=env,
        about={"system": SYSTEM, "configuration": configuration.as_dict(loaded.config)},
        closed_loop=closed_loop,
    )


def _load(run: str | Path) -> tuple[runs.Run, factory.Models, LatentNAS]:
    loaded = runs.load(run, LatentNASConfig)
    models = factory.load_models(loaded.folder / MODELS)
    return loaded, models, environment(loaded.config, models)


def _doubts(models: factory.Models) -> judgement.Doubts:
    return judgement.Doubts(trust.rule_doubt(models.provenance), trust.surrogate_doubt(models.provenance))


def environment(settings: LatentNASConfig, models: factory.Models, shaped: bool = False) -> LatentNAS:
    """As a run of these settings is judged in; `shaped`: as it learns in."""
    return factory.from_models(
        models,
        settings.history,
        settings.budget,
        settings.weighed,
        pessimism=settings.pessimism,
        step_cost=settings.step_cost,
        shaped=shaped,
    )


def _seen(env: LatentNAS, policy: Any, key: jax.Array, count: int = 20_000) -> np.ndarray:
    """float32 [count, features]: what the policy and random actions see, from fresh starts."""
    parts = []
    for player, player_key in zip((policy, random_policy(env)), jax.random.split(key), strict=True):
        stats = simulate(env, player, player_key, num_envs=512, num_steps=count // 1024 + 1, trajectory=True)
        assert stats.trajectory is not None  # asked for
        parts.append(np.asarray(stats.trajectory.obs).reshape(-1, stats.trajectory.obs.shape[-1])[: count // 2])
    return np.concatenate(parts)
