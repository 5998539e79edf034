"""Puts systems, learners and deployment together: one file a system, the same functions in each. May import all.

A pipeline module has

    train(config: path or None, overrides: ["key=value", …], out) -> result
    evaluate(run) -> judgement against baselines and bounds
    figures(run, data=None) -> the files drawn; `data`: a folder of the system's raw data, where a picture needs it
    export(run, out) -> report
"""

import importlib
from pathlib import Path
from types import ModuleType

from edgerl.core import files
from edgerl.core.errors import UserError

_MODULES = {
    "cartpole": "edgerl.pipelines.cartpole",
    "early-exit": "edgerl.pipelines.early_exit",
    "latent-nas": "edgerl.pipelines.latent_nas",
    "agent-vit": "edgerl.pipelines.agent_vit",
}


def of_system(system: str) -> ModuleType:
    """The pipeline of a system by its name on the command line."""
    if system not in _MODULES:
        raise UserError(f"system '{system}' is not there yet; ready: {', '.join(_MODULES)}")
    return importlib.import_module(_MODULES[system])


def of_run(run: str | Path) -> ModuleType:
    """The pipeline of the system that a run folder belongs to."""
    marker = Path(run) / "run.json"
    if not marker.is_file():
        raise UserError(
            f"{run} is not a run folder: it has no run.json; make one with `edgerl train SYSTEM --out {run}`"
        )
    return of_system(files.read_json(marker).get("system", "unknown"))
