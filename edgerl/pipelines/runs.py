"""Reading what `agents.runner.train_run` wrote."""

import csv
import dataclasses
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.agents import run_folder
from edgerl.agents.config import RunConfig
from edgerl.core import config as configuration
from edgerl.core import files, processes
from edgerl.core.errors import UserError
from edgerl.core.policy import MLPPolicy, load_policy


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
    return Run(folder, settings, load_policy(folder / run_folder.POLICY), result)


def learning_curve(run: Run, metric: str = "episode_return") -> tuple[np.ndarray, np.ndarray]:
    """(environment steps [U] of one seed, means [U, S] over the episodes that ended; NaN where none did)."""
    values = np.full((run.config.ppo.num_updates, run.config.num_seeds), np.nan)
    with (run.folder / run_folder.LOG).open(newline="") as file:
        for row in csv.DictReader(file):
            values[int(row["update"]) - 1, int(row["seed"])] = float(row[metric])
    return (np.arange(len(values)) + 1) * run.config.ppo.batch_size, values


def tell(notes: Iterable[str]) -> None:
    """What a reader of the result must know, a line each on standard error, by the first process alone."""
    if processes.is_first():
        for note in notes:
            print(f"note: {note}", file=sys.stderr, flush=True)
