"""Reading what `agents.runner.train_run` wrote."""

import csv
import dataclasses
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.envs.policy import MLPPolicy, load_policy
from edgerl.rl.config import RunConfig
from edgerl.rl.run import run_folder
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run: its folder, its configuration, the best seed's greedy policy, and `result.json`."""

    folder: Path
    config: Any  # of the pipeline's class
    policy: MLPPolicy
    result: dict[str, Any]


def load(folder: str | Path, config: type[RunConfig] = RunConfig) -> Run:
    """Reads a run folder, whose configuration is a `config`.

    Raises:
      UserError: a file is missing or damaged, or the run is unfinished.
    """
    folder = Path(folder)
    if not (folder / run_folder.RESULT).is_file():
        raise UserError(f"{folder} is unfinished: the same `edgerl train` command again, with --out {folder}, goes on")
    settings = configuration.load(config, folder / run_folder.CONFIG)
    result = files.read_json(folder / run_folder.RESULT)
    best = result.get("best_seed") if isinstance(result, dict) else None
    if not isinstance(best, int) or not 0 <= best < settings.num_seeds:
        raise UserError(
            f"{folder / run_folder.RESULT} is damaged: it does not name the best of {settings.num_seeds} seeds"
        )
    policy = load_policy(folder / run_folder.POLICY)
    if policy.sizes[1:-1] != tuple(settings.ppo.hidden_sizes) or policy.activation != settings.ppo.activation:
        raise UserError(
            f"{folder / run_folder.POLICY} is not the policy of this run: its layers are {list(policy.sizes[1:-1])}, "
            f"{policy.activation}, and the run's {list(settings.ppo.hidden_sizes)}, {settings.ppo.activation}"
        )
    return Run(folder, settings, policy, result)


def learning_curve(run: Run, metric: str = "episode_return") -> tuple[np.ndarray, np.ndarray]:
    """(environment steps [U] of one seed, means [U, S] over the episodes that ended; NaN where none did).

    Raises:
      UserError: the run's log is missing or damaged.
    """
    shape, log = (run.config.ppo.num_updates, run.config.num_seeds), run.folder / run_folder.LOG
    values, rows = np.full(shape, np.nan), set()
    try:
        with log.open(newline="") as file:
            for row in csv.DictReader(file):
                place = int(row["update"]) - 1, int(row["seed"])
                values[place] = float(row[metric])
                rows.add(place)
    except (OSError, KeyError, ValueError, IndexError, TypeError, csv.Error) as error:
        raise UserError(f"{log} is missing or damaged ({files.first_line(error)})") from error
    if len(rows) != values.size:
        raise UserError(f"{log} is damaged: it has {len(rows)} of {values.size} rows")
    return (np.arange(len(values)) + 1) * run.config.ppo.batch_size, values


def tell(notes: Iterable[str]) -> None:
    """What a reader of the result must know, a line each on standard error, by the first process alone."""
    if processes.is_first():
        for note in notes:
            print(f"note: {note}", file=sys.stderr, flush=True)
