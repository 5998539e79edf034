"""A finished run, opened: what its folder holds, and what can be done with it."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from edgerl.deploy.names import DEFAULT
from edgerl.envs.environment import Environment
from edgerl.envs.gru import GRUPolicy
from edgerl.envs.policy import MLPPolicy
from edgerl.envs.policy_file import FloatPolicy, load_policy
from edgerl.rl.run import run_folder
from edgerl.rl.run.logs import read_log
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError

if TYPE_CHECKING:
    from edgerl.tasks.task import Task

JUDGEMENT = "judgement.json"  # what `evaluate` found last
IMPORTED = "imported"  # key of `result.json`: which file the policy comes from, if it was not trained here


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run. `edgerl.open_run` and `edgerl.train` return one.

    Attributes:
      task: what was trained for.
      folder: where it lies.
      config: its configuration, of the task's class.
      policy: the best seed's greedy policy.
      result: what `result.json` holds.

    Example:
      >>> run = edgerl.open_run("runs/pole")
      >>> run.config.num_seeds, run.policy.sizes, run.env.id
      (1, (4, 32, 32, 2), 'CartPole-v1')
    """

    task: Task
    folder: Path
    config: Any
    policy: FloatPolicy
    result: dict[str, Any]

    @property
    def about(self) -> dict[str, Any]:
        """What an export's report says of the run: how it was trained, or the file that it was imported from."""
        if self.imported:
            return {"system": self.task.name, IMPORTED: self.result[IMPORTED]}
        return {"system": self.task.name, "configuration": configuration.as_dict(self.config)}

    @property
    def imported(self) -> bool:
        """Whether the policy was trained elsewhere: see `edgerl.import_policy`."""
        return IMPORTED in self.result

    @functools.cached_property
    def env(self) -> Environment:
        """The environment that the run is evaluated in."""
        return self.task.environment(self.config, self.folder)

    @property
    def perceptron(self) -> MLPPolicy:
        """The policy, of a task whose policies have no memory."""
        assert isinstance(self.policy, MLPPolicy)  # its configuration allows no other
        return self.policy

    def evaluate(self) -> dict[str, Any]:
        """The policy against random play, baselines and bounds: what `edgerl evaluate` prints. Kept in the folder."""
        found = self.task.evaluate(self)
        try:
            files.write_json(self.folder / JUDGEMENT, found)
        except OSError as error:  # a folder that can only be read has been evaluated all the same
            tell([f"not kept in {self.folder / JUDGEMENT}: {error.strerror}"])
        return found

    def figures(self, data: str | None = None) -> list[Path]:
        """Draws the pictures of the run into its folder `figures`, and returns their paths.

        Args:
          data: folder of the task's raw data, where a picture needs it.
        """
        return self.task.figures(self, data)

    def export(self, out: str | Path, name: str = DEFAULT, **options: Any) -> dict[str, Any]:
        """Writes the policy's files for a microcontroller; returns what is in their `report.json`.

        Args:
          out: folder to make.
          name: begins every file, symbol, macro and package that goes into firmware.
          options: the task's own, for example `cascade=True` of early-exit.
        """
        return self.task.export(self, out, name=name, **options)

    def certify(self, loss: float, delta: float = 0.1) -> dict[str, Any]:
        """The cheapest rule proven to lose at most `loss` of the accuracy with probability 1 - delta; kept in the run.

        Args:
          loss: promised, against computing everything, as a share of images: 0.01 is one point.
          delta: the probability, at most, that the promise is broken.
        Returns:
          What `edgerl certify --json` prints; what `export` writes from then on decides by that rule.
        Raises:
          UserError: a run of a task that has nothing to certify, numbers out of range, images that prove nothing.

        Example:
          >>> edgerl.open_run("runs/exits").certify(loss=0.01, delta=0.1)["certificate"]  # doctest: +SKIP
        """
        return self.task.certify(self, loss, delta)

    def key(self, number: int) -> jax.Array:
        """A random key of this run for one purpose, which training does not use."""
        return jax.random.fold_in(jax.random.key(self.config.seed), number)

    def learning_curve(self, metric: str = "episode_return") -> tuple[np.ndarray, np.ndarray]:
        """(environment steps [U] of one seed, means [U, S] over the episodes that ended; NaN where none did).

        Raises:
          UserError: the run's log is missing or damaged.
        """
        path, shape = self.folder / run_folder.LOG, (self.config.ppo.num_updates, self.config.num_seeds)
        log = read_log(path)
        try:
            rows, values = np.stack([log["update"] - 1, log["seed"]]), log[metric]
        except KeyError as error:
            raise UserError(f"{path} is damaged: it has no column {error}") from error
        if not np.array_equal(rows, np.indices(shape).reshape(2, -1)):
            raise UserError(f"{path} is damaged: it has {len(values)} of {np.prod(shape)} rows, or in another order")
        return (np.arange(shape[0]) + 1) * self.config.ppo.batch_size, values.reshape(shape)


def require_finished(folder: Path) -> None:
    """Raises a `UserError` unless the run in the folder is finished."""
    if not (folder / run_folder.RESULT).is_file():
        raise UserError(f"{folder} is unfinished: the same `edgerl train` command again, with --out {folder}, goes on")


def load(task: Task, folder: Path) -> Run:
    """Reads what `rl.run.runner.train_run` wrote.

    Raises:
      UserError: a file is missing or damaged, or the run is unfinished.
    """
    require_finished(folder)
    settings = configuration.load(task.config, folder / run_folder.CONFIG)
    result = files.read_json(folder / run_folder.RESULT)
    best = result.get("best_seed") if isinstance(result, dict) else None
    if not isinstance(best, int) or not 0 <= best < settings.num_seeds:
        raise UserError(
            f"{folder / run_folder.RESULT} is damaged: it does not name the best of {settings.num_seeds} seeds"
        )
    policy = load_policy(folder / run_folder.POLICY)
    units = settings.ppo.gru_size
    hidden = [*settings.ppo.encoder_sizes, *([units] if units else []), *settings.ppo.hidden_sizes]
    same = list(policy.sizes[1:-1]) == hidden and isinstance(policy, GRUPolicy) == bool(units)
    if not same or policy.activation != settings.ppo.activation:
        raise UserError(
            f"{folder / run_folder.POLICY} is not the policy of this run: its layers are {list(policy.sizes[1:-1])}, "
            f"{policy.activation}, and the run's {hidden}, {settings.ppo.activation}"
        )
    return Run(task, folder, settings, policy, result)


def tell(notes: Iterable[str]) -> None:
    """What a reader of the result must know, a line each on standard error, by the first process alone."""
    if processes.is_first():
        for note in notes:
            print(f"note: {note}", file=sys.stderr, flush=True)
