"""`edgerl logits`: a table of what every exit answers, from the user's own network or from a trunk trained here."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgerl.tasks.cifar import LAYOUTS
from edgerl.tasks.early_exit.table import import_logits as importing
from edgerl.tasks.early_exit.table.build import build_table
from edgerl.tasks.early_exit.table.features import features
from edgerl.tasks.early_exit.table.table import Table
from edgerl.tasks.early_exit.trunk import train as train_trunk
from edgerl.tasks.early_exit.trunk.config import TrainConfig
from edgerl.tasks.early_exit.trunk.data import TEST, load_images
from edgerl.tasks.run import tell
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.errors import UserError

TABLE, WEIGHTS = "table.npz", "weights.npz"


def run(options: argparse.Namespace) -> dict[str, Any]:
    """`edgerl logits import` or `build`."""
    if options.source == "import":
        return import_logits(options.file, options.out)
    return build(options.config, options.set, options.data, options.out)


def import_logits(source: str, out: str) -> dict[str, Any]:
    """Turns a file of logits into a table; see `edgerl.tasks.early_exit.table.import_logits`."""
    files.must_be_new(out)
    table = importing.import_logits(source, out)
    tell(f"{source}: {note}" for note in table.provenance.get("notes", ()))
    return _summary(table, out)


def build(config: str | None, overrides: Sequence[str], data: str | None, out: str) -> dict[str, Any]:
    """Trains a trunk, or goes on with it, and writes the table of all its images and its weights.

    Args:
      config: YAML file of a `TrainConfig`, or None.
      overrides: `key=value` after the file's.
      data: folder of the data set's official binary files; None: through tensorflow-datasets.
      out: folder for checkpoints, `table.npz` with its report `table.json`, and `weights.npz`.
    """
    settings, folder = configuration.load(TrainConfig, config, overrides), Path(out)
    if (folder / TABLE).exists():
        raise UserError(f"{folder / TABLE} exists: name a new folder")
    known = LAYOUTS[settings.trunk.dataset]
    if settings.trunk.classes != known.classes:
        raise UserError(f"trunk.classes is {settings.trunk.classes}, but {known.title} has {known.classes} classes")
    dataset = load_images(settings.trunk.dataset, data)
    train_trunk.train(settings, dataset, folder, report=lambda line: print(line, file=sys.stderr, flush=True))
    words = [f"--data {data}"] * (data is not None) + [f"--config {config}"] * (config is not None)
    command = " ".join(["edgerl logits build", *words, *(f"--set {word}" for word in overrides), f"--out {out}"])
    table = build_table(out, dataset, folder / TABLE, folder / WEIGHTS, command)
    return _summary(table, str(folder / TABLE))


def _summary(table: Table, path: str) -> dict[str, Any]:
    correct = features(table, table.rows(TEST)).correct
    return {
        "table": path,
        "images": len(table.labels),
        "exits": table.exits,
        "classes": table.classes,
        "test_images": len(correct),
        "test_accuracy": correct.mean(0).tolist(),
        "temperatures": table.temperatures.tolist(),
        **_costs(table),
        **({"notes": table.provenance["notes"]} if "notes" in table.provenance else {}),
        "next": f"edgerl train early-exit --set table={path} --out RUN",
    }


def _costs(table: Table) -> dict[str, Any]:
    """What the costs were taken for: who has saved stages' own costs sees it by the shares."""
    costs = {"macs": table.macs, "latency_ms": table.latency_ms}
    given = {name: cost for name, cost in costs.items() if cost is not None}
    shares = (next(iter(given.values())) / next(iter(given.values()))[-1]).tolist()
    return {name: cost.tolist() for name, cost in given.items()} | {"cost_until_exit_over_last": shares}
