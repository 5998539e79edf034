"""Latent NAS from training to verified C: what `edgerl train latent-nas` and the commands after it do."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np

from edgerl.envs.environment import Environment
from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.rl.run import runner
from edgerl.simulator.simulate import random_policy, simulate
from edgerl.tasks.latent_nas import factory
from edgerl.tasks.latent_nas import figures as pictures
from edgerl.tasks.latent_nas.cells.config import CellsConfig
from edgerl.tasks.latent_nas.env import LatentNAS
from edgerl.tasks.latent_nas.evaluation import evaluate as judgement
from edgerl.tasks.latent_nas.evaluation.front import front
from edgerl.tasks.latent_nas.models.build import BuildConfig, build
from edgerl.tasks.latent_nas.spaces import SPACES, Way, space_of
from edgerl.tasks.latent_nas.table import trust
from edgerl.tasks.run import Run, tell
from edgerl.tasks.task import Task
from edgerl.util import files
from edgerl.util.config import field
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError
from edgerl.util.tables import Rows

MODELS = "models.npz"  # the frozen networks of this run
ARCHITECTURES = "architectures.json"

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

    GENERIC: ClassVar[bool] = False  # it has a `history` of its own

    environment: str = field("LatentNAS-v0", "id of the environment", choices=("LatentNAS-v0",))
    num_seeds: int = field(2, "policies trained side by side", low=1)
    evaluation_envs: int = field(1000, "episodes to choose the best seed by, and as many to evaluate it by", low=1)
    evaluation_steps: int = field(200, "of an episode at most", low=1)
    ppo: PPOConfig = _PPO
    space: str = field("analognas", "search space: AnalogNAS's genes, or NAS-Bench-201's cells", choices=tuple(SPACES))
    data: str | None = field(None, "a CSV file of the space's table, to train on; none: what is shipped for analognas")
    build: BuildConfig = dataclasses.field(default_factory=BuildConfig)
    history: int = field(0, "past actions that the policy sees", low=0, high=200)
    budget: float | None = field(250_000.0, "parameters a network of analognas may have; none: any number", low=1)
    pessimism: float = field(1.0, "times the surrogate's uncertainty is taken off its accuracy", low=0)
    weighed: bool = field(False, "weigh accuracy, parameters and AVM, by weights drawn for every episode and observed")
    shaped: bool = field(True, "learn by rewards that count from the start's own score, and show small differences")
    step_cost: float = field(0.05, "what an action must add to the reward to be worth it", low=0)
    evaluations: tuple[int, ...] = field((10, 100, 1000), "of the surrogate, at which searches are compared", low=2)
    bayesian_runs: int = field(3, "of Bayesian optimisation by Optuna, if installed: a minute each; 0: none", low=0)
    exhaustive: bool = field(False, "compare with all 14^8 latents made of codes, too: many minutes")
    cells: CellsConfig = dataclasses.field(default_factory=CellsConfig)


@dataclasses.dataclass(frozen=True)
class LatentNASTask(Task):
    """Architectures for analog hardware, found by walks in a latent space; searches and bounds to compare with.

    The methods are those of AnalogNAS's space; a space that brings a `Way` of its own is handed on to it.
    """

    config: type[Any] = LatentNASConfig

    def environment(self, config: LatentNASConfig, folder: Path | None = None) -> Environment:
        """With the frozen networks of the run, where there is one; else with the shipped ones."""
        if (way := _way(config)) is not None:
            return way.environment(config, folder)
        return environment(config, factory.load_models() if folder is None else models_of(folder))

    def playable(self, config: LatentNASConfig, folder: Path | None = None) -> Environment:
        """As `environment`. An export has no networks of its own.

        Raises:
          UserError: it was trained in a latent space of the user's own, which only the run's folder has.
        """
        if (way := _way(config)) is not None:
            return way.environment(config, folder)
        own = folder if folder is not None and (folder / MODELS).is_file() else None
        if config.data is not None and own is None:
            raise UserError(
                f"its environment was made from {config.data}, whose networks are in the run's folder and not in the "
                "export: give the run"
            )
        return self.environment(config, own)

    def train(self, config: LatentNASConfig, out: str | Path, progress: bool = True) -> dict[str, Any]:
        """Trains the latent space if there is data, then the policy, or goes on with an unfinished run of the same."""
        if (way := _way(config)) is not None:
            return way.train(config, out, progress)
        models = factory.load_models() if config.data is None else build(config.data, config.build)
        env = environment(config, models, shaped=config.shaped)
        notes = trust.notes(models.provenance)
        tell(notes)
        about: dict[str, Any] = {"system": self.name}
        if config.data is not None:
            about |= {"table": models.provenance["table"]["file"], **({"notes": notes} if notes else {})}
        result = runner.train_run(env, config, out, about=about, progress=progress)
        if processes.is_first():
            factory.save_models(Path(out) / MODELS, models)
        return {**result, "models": models.provenance}

    def evaluate(self, run: Run) -> dict[str, Any]:
        """1,000 fresh starts against searches and bounds, or where objectives are weighed the front of accuracy
        against parameters; the networks found are kept in RUN/architectures.json."""
        if (way := _way(run.config)) is not None:
            return way.evaluate(run)
        models, env, key, settings = models_of(run.folder), run.env, run.key(1001), run.config
        assert isinstance(env, LatentNAS)
        notes, doubts = trust.notes(models.provenance), _doubts(models)
        tell(notes)
        if settings.weighed:  # there is no one best score, which searches could be compared by
            judged, walks = {"front": front(env, run.policy, key, doubts)}, judgement.walk(env, run.policy, key)
        else:
            judged, walks = judgement.evaluate_policy(
                env,
                run.policy,
                random_policy(env),
                key,
                counts=settings.evaluations,
                training=settings.ppo.total_steps * settings.num_seeds,
                bayesian_runs=settings.bayesian_runs,
                exhaustive=settings.exhaustive,
                doubts=doubts,
            )
        files.write_json(run.folder / ARCHITECTURES, judgement.architectures(env, walks, doubts))
        result = {"system": self.name, "environment": env.id, **judged, "models": models.provenance}
        if notes:
            result["notes"] = notes
        return result

    def table(self, found: Mapping[str, Any]) -> Rows:
        """The agent beside random actions, and the best scores at equal numbers of evaluations; or the front."""
        if "space" in found and (way := space_of(found["space"]).way) is not None:
            return way.table(found)
        if "front" in found:
            return _front_table(found["front"])
        rows: list[list[Any]] = [["from 1,000 starts", "agent", "random actions"]]
        pair = found["agent"], found["random_actions"]
        for name, value in pair[0].items():
            if name not in ("starts", "reasons"):
                rows.append([name.replace("_", " "), value, pair[1][name]])
        counts = list(found["best_score_at_equal_evaluations"]["agent"])
        rows += [["", *("" for _ in counts)], ["best score after evaluations", *counts]]
        for name, scores in found["best_score_at_equal_evaluations"].items():
            rows.append([name, *(scores[count]["mean"] if count in scores else None for count in counts)])
        return rows

    def figures(self, run: Run, data: str | None = None) -> list[Path]:
        """Latent space, trajectories, reward and length, accuracy against parameters, in RUN/figures."""
        if data is not None:
            raise UserError("--data: the figures of latent-nas need no data")
        if (way := _way(run.config)) is not None:
            return way.figures(run)
        env, key, doubts = run.env, run.key(1002), _doubts(models_of(run.folder))
        assert isinstance(env, LatentNAS)
        walks = judgement.walk(env, run.policy, key)
        wandering = judgement.walk(env, random_policy(env), key)
        found, lost = (judgement.architectures(env, w, doubts) for w in (walks, wandering))
        steps, returns = run.learning_curve()
        lengths = run.learning_curve("episode_length")[1]
        folder = run.folder / "figures"
        return [
            pictures.latent_space(folder / "latent_space.png", env, key),
            pictures.trajectories(folder / "trajectories.png", env, key, walks),
            pictures.curves(folder / "reward_and_length.png", steps, returns, lengths),
            pictures.accuracy_and_parameters(folder / "accuracy_parameters.png", found, lost, run.config.budget),
        ]

    def calibration(self, run: Run) -> np.ndarray:
        """float32 [20,000, features]: what the policy and random actions see, from fresh starts."""
        return _seen(run.env, run.policy, jax.random.split(run.key(1003))[0])

    def closed_loop(self, run: Run, player: Any, episodes: int | None = None) -> dict[str, Any]:
        """What the policy and the player find from 1,000 starts."""
        if episodes is not None:
            raise UserError("--episodes: latent-nas plays its own number of walks")
        if (way := _way(run.config)) is not None:
            return way.closed_loop(run, player)
        judge_key = jax.random.split(run.key(1003))[1]
        assert isinstance(run.env, LatentNAS)
        walks = {n: judgement.walk(run.env, p, judge_key) for n, p in (("float32", run.policy), ("int8", player))}
        return {
            name: {"mean_score": float(w.scores.mean()), "mean_steps": float(w.steps.mean())}
            for name, w in walks.items()
        }


def _front_table(front: list[dict[str, Any]]) -> Rows:
    """A row a weighting."""
    rows: list[list[Any]] = [["weight of accuracy", *(k for k in front[0] if k != "weights")]]
    return rows + [[one["weights"]["accuracy"], *(one[k] for k in rows[0][1:])] for one in front]


def _way(config: LatentNASConfig) -> Way | None:
    """The commands of the configuration's space, where it has its own."""
    return space_of(config.space).way


def models_of(folder: Path) -> factory.Models:
    """The frozen networks of a run."""
    return factory.load_models(folder / MODELS)


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


def _seen(env: Environment, policy: Any, key: jax.Array, count: int = 20_000) -> np.ndarray:
    """float32 [count, features]: what the policy and random actions see, from fresh starts."""
    parts = []
    for player, player_key in zip((policy, random_policy(env)), jax.random.split(key), strict=True):
        stats = simulate(env, player, player_key, num_envs=512, num_steps=count // 1024 + 1, trajectory=True)
        assert stats.trajectory is not None  # asked for
        parts.append(np.asarray(stats.trajectory.obs).reshape(-1, stats.trajectory.obs.shape[-1])[: count // 2])
    return np.concatenate(parts)


TASK = LatentNASTask("latent-nas")
