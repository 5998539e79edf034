"""The whole way for one problem: configuration, training, evaluation, figures, export. By default the generic one."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl import deploy
from edgerl.deploy import onnx_file
from edgerl.deploy.extras import Extra
from edgerl.deploy.names import DEFAULT
from edgerl.envs.deciding import Policy, Remembering
from edgerl.envs.environment import Environment
from edgerl.envs.policy_file import FloatPolicy
from edgerl.envs.registry import make
from edgerl.envs.vectors import as_vectors
from edgerl.rl.config import RunConfig
from edgerl.rl.run import runner
from edgerl.tasks import run as runs
from edgerl.tasks.generic import calibration, evaluation, figures, finetuning, settings
from edgerl.tasks.run import Run
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.errors import UserError
from edgerl.util.tables import Rows


@dataclasses.dataclass(frozen=True)
class Task:
    """One problem on the whole way. An environment alone is a task; a subclass overrides what it knows better.

    Attributes:
      name: what `edgerl train` calls it, and `run.json`: a task's own name, or what `edgerl.make` takes. Empty for an
        environment that only its program can make.
      env: the environment, if it is there already; else `edgerl.make` makes it from the configuration's `environment`.
      config: the dataclass of its configuration.

    Example:
      >>> task = edgerl.Task("CartPole-v1")
      >>> task.settings(None, ["num_seeds=2", "ppo.discount=0.9"]).ppo.discount
      0.9
    """

    name: str
    env: Environment | None = None
    config: type[Any] = RunConfig

    def defaults(self) -> Mapping[str, Any] | Path:
        """What the configuration has where the user says nothing: values, or a YAML file of them.

        Found by random play, but for what an environment's `training` says; a configuration class of a task's own has
        defaults of its own.
        """
        if self.config is not RunConfig:
            return {}
        env = self._made(self.name)
        return {"environment": self.name or env.id, **settings.of(env)}

    def settings(self, config: str | Path | None = None, overrides: Sequence[str] = ()) -> Any:
        """The configuration: the defaults, over them a YAML file, over both `key=value` pairs."""
        return configuration.load(self.config, config, overrides, self.defaults())

    def environment(self, config: Any, folder: Path | None = None) -> Environment:
        """The environment that a run is evaluated in.

        Args:
          config: the run's configuration.
          folder: the run's, if there is one: it may hold frozen networks of its own.
        """
        del folder
        return self._made(config.environment)

    def playable(self, config: Any, folder: Path | None = None) -> Environment:
        """The environment that the policy of a run or an export plays in. By default, the run's."""
        return self.environment(config, folder)

    def train(self, config: Any, out: str | Path, progress: bool = True) -> dict[str, Any]:
        """Trains, or goes on with an unfinished run of the same configuration; see `rl.run.runner.train_run`.

        Raises:
          UserError: what `edgerl.check_environment` finds wrong with the environment, or `train_run`.
        """
        env = self.environment(config)
        if not (Path(out) / runs.run_folder.CONFIG).exists():
            settings.require_sound(env)
        about = {"system": self.name} if self.name else {}

        def finish(state: Any, policy: FloatPolicy) -> tuple[FloatPolicy, dict[str, Any]]:
            return finetuning.finetune(
                env, config, state, policy, jax.random.fold_in(jax.random.key(config.seed), 1005)
            )

        last = finish if config.finetune_updates else None
        return runner.train_run(env, config, out, about=about, progress=progress, finish=last)

    def open(self, folder: str | Path) -> Run:
        """A finished run of this task.

        Raises:
          UserError: it is unfinished or damaged.
        """
        return runs.load(self, Path(folder))

    def evaluate(self, run: Run) -> dict[str, Any]:
        """Random play, the policy, and its int8 form, over fresh episodes, each with a 95 % confidence interval."""
        return {"system": self.name or run.env.id, **evaluation.evaluate(run, self._deployed(run))}

    def table(self, found: Mapping[str, Any]) -> Rows:
        """What a reader looks for in the result of `evaluate`: a dozen rows, the first with the columns' names."""
        return evaluation.table(found)

    def figures(self, run: Run, data: str | None = None) -> list[Path]:
        """Learning curve, returns, an episode, and an animation if the environment can `render`, in RUN/figures."""
        if data is not None:
            raise UserError(f"--data: the figures of {self.name} need no data")
        return figures.draw(run)

    def certify(self, run: Run, loss: float, delta: float) -> dict[str, Any]:
        """A promise of accuracy, proven on images; see `Run.certify`. By default there is none to give."""
        del loss, delta
        raise UserError(f"{run.folder} is a run of {self.name or run.env.id}: only early-exit runs can be certified")

    def calibration(self, run: Run) -> np.ndarray:
        """float32 [N, features]: what the policy sees, and what it would see if now and then it were disturbed."""
        return calibration.visited(run.env, run.policy, run.key(1002), run.config.evaluation_steps)

    def export(
        self, run: Run, out: str | Path, name: str = DEFAULT, onnx: bool = False, episodes: int | None = None
    ) -> dict[str, Any]:
        """The deployment folder; see `edgerl.deploy.export`. Its report has the int8 and the float policy's returns.

        Args:
          name: begins every file, symbol, macro and package that goes into firmware.
          onnx: whether the float policy is written as `NAME.onnx`, too.
          episodes: how many the returns are of; None: as many as `evaluate` takes.
        """
        files.must_be_new(out)
        more = {**onnx_file.extra(onnx, run.policy), **self.extras(run)}
        return deploy.export(
            run.policy,
            self.calibration(run),
            out,
            name=name,
            env=run.env,
            about=run.about,
            closed_loop=lambda player: self.closed_loop(run, player, episodes),
            extra=more,
        )

    def extras(self, run: Run) -> dict[str, Extra]:
        """Files that an export adds, by the name of their generator; see `edgerl.deploy.extras`. By default none."""
        del run
        return {}

    def closed_loop(self, run: Run, player: Policy, episodes: int | None = None) -> dict[str, Any]:
        """What the deployed policy reaches, and the float one from the same starts: a part of an export's report.

        With memory, also how far the int8 memory is from the float one; see `generic.evaluation.drift`.
        """
        found = {**self.played(run, player, episodes), "float32": self.played(run, run.policy, episodes)}
        return {**found, "memory_drift": evaluation.drift(run, player)} if isinstance(player, Remembering) else found

    def played(self, run: Run, player: Policy, episodes: int | None = None) -> dict[str, Any]:
        """Returns and lengths of a player in the run's environment, over so many episodes; None: as `evaluate` does."""
        return evaluation.summary(evaluation.episodes(run, player, episodes or evaluation.EPISODES))

    def _deployed(self, run: Run) -> deploy.Int8Policy:
        return deploy.quantise(run.policy, self.calibration(run))

    def _made(self, name: str) -> Environment:
        return as_vectors(make(name) if self.env is None else self.env)
