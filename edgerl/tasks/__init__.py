"""One folder a problem. A task may import everything below it, but no other task.

A pipeline module has

    train(config: path or None, overrides: ["key=value", …], out) -> result
    evaluate(run) -> judgement against baselines and bounds
    figures(run, data=None) -> the files drawn; `data`: a folder of the system's raw data, where a picture needs it
    export(run, out) -> report
"""

import importlib
from pathlib import Path
from types import ModuleType

from edgerl.util.errors import UserError

_MODULES = {
    "cartpole": "edgerl.tasks.cartpole.task",
    "early-exit": "edgerl.tasks.early_exit.task",
    "latent-nas": "edgerl.tasks.latent_nas.task",
    "agent-vit": "edgerl.tasks.agent_vit.task",
}


def of_system(system: str) -> ModuleType:
    """The pipeline of a system by its name on the command line."""
    if system not in _MODULES:
        raise UserError(f"there is no system '{system}'; there are {', '.join(_MODULES)}")
    return importlib.import_module(_MODULES[system])


def of_run(run: str | Path) -> ModuleType:
    """The pipeline of the system that a run folder belongs to.

    Raises:
      UserError: no run folder, or a run in an environment of the user's own, of which only he knows how to make it.
    """
    marker = Path(run) / "run.json"
    if not marker.is_file():
        raise UserError(
            f"{run} is not a run folder: it has no run.json; make one with `edgerl train SYSTEM --out {run}`"
        )
    from edgerl.rl.run import run_folder

    about = run_folder.read_about(Path(run))
    if about.get("system") in _MODULES:
        return of_system(about["system"])
    raise UserError(
        f"{run} was trained in '{about['environment']}' by a program of your own, and "
        f"this command knows {', '.join(_MODULES)} only: in Python, edgerl.envs.policy.load_policy('{run}/policy.npz') "
        "gives its policy, edgerl.simulate plays it and edgerl.deploy.export writes it"
    )
