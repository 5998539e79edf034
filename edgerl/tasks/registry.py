"""Tasks by what `edgerl train` is told, and the run that a folder holds."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgerl.envs import places
from edgerl.envs.registry import registered
from edgerl.util.errors import UserError

if TYPE_CHECKING:  # importing them would import JAX
    from edgerl.envs.environment import Environment
    from edgerl.tasks.run import Run
    from edgerl.tasks.task import Task

# name -> "module:attribute", imported when the task is used. These know better than the generic way.
SHIPPED = {
    "cartpole": "edgerl.tasks.cartpole.task:TASK",
    "early-exit": "edgerl.tasks.early_exit.task:TASK",
    "exit-stream": "edgerl.tasks.early_exit.stream.task:TASK",
    "latent-nas": "edgerl.tasks.latent_nas.task:TASK",
    "agent-vit": "edgerl.tasks.agent_vit.task:TASK",
}

# Commands of one task alone: name -> "module:function", which takes the parsed options.
COMMANDS = {"logits": "edgerl.tasks.early_exit.table.logits:run"}


def _entry(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def command(name: str) -> Callable[[Any], dict[str, Any]]:
    """What one of the `COMMANDS` calls: options in, what is printed out."""
    return _entry(COMMANDS[name])


def task_of(what: str) -> Task:
    """The task of that name, or the generic one of an environment: its id, or the place where it is made.

    Raises:
      UserError: there is none.
    """
    if what in SHIPPED:
        return _entry(SHIPPED[what])
    if not (places.is_place(what) or what in registered()):
        known = [*SHIPPED, *registered()]
        near = difflib.get_close_matches(what, known, 1)
        hint = f"did you mean '{near[0]}'? There are" if near else "there are"
        raise UserError(f"nothing is called '{what}'; {hint} {', '.join(known)}, or {places.FORMS}")
    from edgerl.tasks.task import Task

    return Task(_lasting(what))


def _lasting(what: str) -> str:
    """A place that means the same in any working directory: a run remembers it."""
    where, _, name = what.rpartition(":")
    return f"{Path(where).resolve()}:{name}" if where.endswith(".py") else what


def task_of_run(folder: str | Path) -> Task:
    """The task that a run folder says it is of.

    Raises:
      UserError: no run folder, or one of an environment that only its own program can make.
    """
    folder = Path(folder)
    if not (folder / "run.json").is_file():
        raise UserError(
            f"{folder} is not a run folder: it has no run.json; make one with `edgerl train WHAT --out {folder}`"
        )
    from edgerl.rl.run import run_folder

    about = run_folder.read_about(folder)
    name = about.get("system", "")
    if not name:
        raise UserError(
            f"{folder} was trained in '{about['environment']}', an environment that its own program made: in Python, "
            f"edgerl.open_run('{folder}', env=…) opens it"
        )
    try:
        return task_of(name)
    except UserError as error:
        raise UserError(f"{folder} is a run of '{name}', which cannot be made here: {error}") from error


def open_run(folder: str | Path, env: Environment | None = None) -> Run:
    """A finished run, as `edgerl train` or `edgerl.train` wrote it.

    Args:
      folder: of the run.
      env: its environment, where the folder does not say how to make it.
    Returns:
      The run: its policy, and `evaluate`, `figures` and `export`.
    Raises:
      UserError: no run, an unfinished or a damaged one.

    Example:
      >>> run = edgerl.open_run("runs/pole")
      >>> sorted(run.evaluate())[:3]
      ['bound', 'environment', 'linear_controller']
    """
    if env is None:
        return task_of_run(folder).open(folder)
    from edgerl.tasks.task import Task

    return dataclasses.replace(Task(""), env=env).open(folder)
