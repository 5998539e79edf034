"""NAS-Bench-201 from training to verified C: what the commands do with `space=nasbench201`."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.rl.run import runner
from edgerl.simulator.simulate import random_policy
from edgerl.tasks.latent_nas.cells import autoencoder, comparison, report, space
from edgerl.tasks.latent_nas.cells import figures as pictures
from edgerl.tasks.latent_nas.cells.agent import Agent, search
from edgerl.tasks.latent_nas.cells.autoencoder import LatentSpace
from edgerl.tasks.latent_nas.cells.env import CellWalk, CellWalkParams
from edgerl.tasks.latent_nas.cells.looks import Looks
from edgerl.tasks.latent_nas.cells.table import CITATION, Cells, read_csv
from edgerl.tasks.latent_nas.cells.walks import final_cells
from edgerl.tasks.run import Run
from edgerl.util import files
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError
from edgerl.util.tables import Rows

MODELS, FOUND = "cells.npz", "cells.json"


@dataclasses.dataclass(frozen=True)
class Models:
    """What a run's environment is made of, and what it has seen.

    Attributes:
      latent: the latent space.
      values: float32 [C], what the surrogate says of every class in the end.
      looks: int64 [n], the cells that were measured, in their order.
      seen: float64 [n], their accuracies in percent.
      provenance: where the table is from, and what is known of the latent space.
    """

    latent: LatentSpace
    values: np.ndarray
    looks: np.ndarray
    seen: np.ndarray
    provenance: dict[str, Any]

    def environment(self) -> CellWalk:
        """The walk whose values are the surrogate's, of mean 0 and variance 1 over the classes."""
        scaled = (self.values - self.values.mean()) / max(float(self.values.std()), 1e-6)
        worth = scaled[space.classes()[0][self.latent.decoded]].astype(np.float32)
        return CellWalk(CellWalkParams(np.asarray(self.latent.codebook), worth))


class CellsWay:
    """See `edgerl.tasks.latent_nas.spaces.Way`."""

    def environment(self, config: Any, folder: Path | None = None) -> CellWalk:
        """Of a run, which alone has a surrogate: the package ships none for this space."""
        if folder is None or not (folder / MODELS).is_file():
            raise UserError("space=nasbench201: its environment is made of a run's networks: give the run's folder")
        return load(folder / MODELS).environment()

    def train(self, config: Any, out: str | Path, progress: bool = True) -> dict[str, Any]:
        """Latent space, search with counted looks, and the agent in what the surrogate has learnt."""
        table = read(config)
        models = searched(config, table)
        env = models.environment()
        about = {"system": "latent-nas", "space": config.space}
        result = runner.train_run(env, config, out, about=about, progress=progress)
        if processes.is_first():
            save(Path(out) / MODELS, models)
        best = int(np.argmax(models.seen))
        found = {
            "looks": len(models.looks),
            "best_measured": float(models.seen[best]),
            "cell": space.as_text(table.cells[models.looks[best]]),
            "latent_space": models.provenance["latent_space"],
        }
        return {**result, "search": found}

    def evaluate(self, run: Run) -> dict[str, Any]:
        """The run's search by the whole table, where its agent walks now, and searches at equal numbers of looks."""
        config, table, models = run.config, read(run.config), load(run.folder / MODELS)
        values = comparison.objective(table, config.cells)
        cheap = None if config.cells.cheap is None else table.metrics[config.cells.cheap]
        regret = np.nanmax(values) - np.maximum.accumulate(models.seen)
        ends = {
            name: final_cells(run.env, policy, models.latent, run.key(1001))
            for name, policy in (("agent", run.policy), ("random_actions", random_policy(run.env)))
        }
        files.write_json(run.folder / FOUND, _described(table, values, np.unique(ends["agent"])))
        found = comparison.compare(models.latent, values, config.cells, config.seed + 1, cheap)
        return {
            "system": "latent-nas",
            "space": config.space,
            "metric": config.cells.metric,
            "table": models.provenance["table"],
            "looks_of_training": len(models.looks),
            "looks_at_cheap_columns": 0 if cheap is None else len(cheap),
            "regret_of_training": float(regret[-1]),
            "surrogate": report.judge(config.cells.search.surrogate, models.looks, values),
            "latent_space": models.provenance["latent_space"],
            "walks": {name: _summary(values, cells) for name, cells in ends.items()},
            "regret_at_equal_looks": found,
            "agent_below_every_baseline": comparison.wins(found),
        }

    def table(self, found: Mapping[str, Any]) -> Rows:
        """Mean regret of each search at each number of looks, percentage points."""
        counts = list(found["regret_at_equal_looks"]["agent"])
        rows: list[list[Any]] = [[f"regret in {found['metric']} after looks", *counts, "runs"]]
        for name, at in found["regret_at_equal_looks"].items():
            rows.append([name, *(at[count]["mean"] for count in counts), at[counts[0]]["runs"]])
        rows.append([f"this run: {found['looks_of_training']} looks", found["regret_of_training"]])
        return [row + [""] * (len(rows[0]) - len(row)) for row in rows]

    def figures(self, run: Run) -> list[Path]:
        """Regret by looks, and what the surrogate says of the cells against what was measured, in RUN/figures."""
        table, models = read(run.config), load(run.folder / MODELS)
        values, folder = comparison.objective(table, run.config.cells), run.folder / "figures"
        judged = run.folder / "judgement.json"
        found = files.read_json(judged)["regret_at_equal_looks"] if judged.is_file() else {}
        said = models.values[space.classes()[0]]
        return [
            pictures.looks(folder / "looks.png", models.seen, float(np.nanmax(values)), found),
            pictures.predicted(folder / "predicted.png", said, values, models.looks),
        ]

    def closed_loop(self, run: Run, player: Any) -> dict[str, Any]:
        """What the surrogate says of the cells where the policy and the player end, from 1,000 starts."""
        models = load(run.folder / MODELS)
        worth = models.values[space.classes()[0]]
        ends = {
            n: final_cells(run.env, p, models.latent, run.key(1003))
            for n, p in (("float32", run.policy), ("int8", player))
        }
        return {name: {"mean_score": float(worth[cells].mean())} for name, cells in ends.items()}


def read(config: Any) -> Cells:
    """The table that a configuration names.

    Raises:
      UserError: none is named, it is none of NAS-Bench-201, or the limits leave too few cells.
    """
    if config.data is None:
        raise UserError(
            "space=nasbench201 needs --data FILE.csv, the table of analog-nasbench: it states no licence, so that "
            "none is shipped"
        )
    table = read_csv(config.data)
    comparison.require_possible(comparison.objective(table, config.cells), config.cells)
    return table


def searched(config: Any, table: Cells) -> Models:
    """One search of `config.cells.looks` looks."""
    settings = config.cells
    latent = autoencoder.fit(settings.autoencoder, config.seed)
    values = comparison.objective(table, settings)
    looks = Looks(values, 1, settings.looks)
    cheap = None if settings.cheap is None else table.metrics[settings.cheap]
    agent = Agent(settings.search, latent, 1, config.seed, cheap)
    search(agent, looks, config.seed)
    provenance = {
        "table": {"file": Path(config.data).name, "citation": CITATION},
        "latent_space": autoencoder.report(latent),
        "metric": settings.metric,
    }
    return Models(latent, agent.values(looks)[0], looks.cells[0], looks.seen[0], provenance)


def save(path: Path, models: Models) -> None:
    """As a compressed `.npz` of plain arrays."""
    arrays = {name: np.asarray(getattr(models.latent, name)) for name in ("codebook", "decoded", "encoded")}
    arrays |= {name: getattr(models, name) for name in ("values", "looks", "seen")}
    files.write_npz(path, {**arrays, "provenance": json.dumps(models.provenance)}, compress=True)


def load(path: Path) -> Models:
    """Reads what `save` wrote.

    Raises:
      UserError: it is missing or damaged.
    """
    arrays = files.read_npz(path)
    try:
        latent = LatentSpace(*(arrays[name] for name in ("codebook", "decoded", "encoded")))
        values, looks, seen = (arrays[name] for name in ("values", "looks", "seen"))
        models = Models(latent, values, looks, seen, json.loads(str(arrays["provenance"])))
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} holds no cells of latent-nas: {error} is missing or damaged") from error
    sizes = (latent.codebook.shape, latent.decoded.shape, models.values.shape)
    book = (autoencoder.CODES, autoencoder.LATENT)
    if sizes != (book, (book[0] ** book[1],), (len(space.classes()[1]),)):
        raise UserError(f"{path}: the shapes of its arrays do not fit each other")
    return models


def _summary(values: np.ndarray, cells: np.ndarray) -> dict[str, float]:
    """By the table, which only the judge sees here."""
    measured = values[cells][np.isfinite(values[cells])]
    return {
        "starts": len(cells),
        "cells": len(np.unique(cells)),
        "mean_measured": float(measured.mean()) if len(measured) else float("nan"),
        "best_measured": float(measured.max()) if len(measured) else float("nan"),
        "median_parameters": float(np.median(space.parameter_count(space.all_cells()[cells]))),
    }


def _described(table: Cells, values: np.ndarray, cells: np.ndarray) -> list[dict[str, Any]]:
    return [
        {
            "cell": space.as_text(table.cells[i]),
            "parameters": int(space.parameter_count(table.cells[i])),
            "macs": int(space.mac_count(table.cells[i])),
            "measured": float(values[i]) if np.isfinite(values[i]) else None,
        }
        for i in cells
    ]
