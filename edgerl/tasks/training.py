"""`edgerl.train`: an environment or a task, by name or made, to a finished run."""

from pathlib import Path
from typing import Any

from edgerl.envs import places
from edgerl.envs.entry import environment_of
from edgerl.envs.environment import Environment
from edgerl.envs.registry import make, registered
from edgerl.tasks.registry import task_of
from edgerl.tasks.run import Run
from edgerl.tasks.task import Task
from edgerl.util.content import Keyed
from edgerl.util.errors import UserError
from edgerl.util.json_text import to_json


def train(env: Environment | str, out: str | Path, *, progress: bool = True, **settings: Any) -> Run:
    """Trains a policy by PPO, or goes on with an unfinished run of the same configuration.

    Args:
      env: an environment, or whatever `edgerl train` takes: a task ("cartpole"), an id, "module:callable",
        "file.py:callable", "gymnax:ID".
      out: a new folder for the run, or that of an unfinished one.
      progress: whether to show a progress bar on standard error, if that is a terminal.
      settings: keys of the configuration, groups as dictionaries; `edgerl config WHAT` prints all of them.
    Returns:
      The finished run.
    Raises:
      UserError: an environment that breaks the contract, an unknown key, a value out of range, or a folder of
        something else.

    Example:
      >>> run = edgerl.train("CartPole-v1", "runs/short", num_seeds=2, ppo={"num_updates": 2})
      >>> run.result["environment"]
      'CartPole-v1'
    """
    task = task_of(env) if isinstance(env, str) else of_environment(environment_of(env, "train"))
    overrides = [f"{key}={_text(key, value)}" for key, value in settings.items()]
    task.train(task.settings(None, overrides), out, progress=progress)
    return task.open(out)


def _text(key: str, value: Any) -> str:
    try:
        return to_json(value)
    except (TypeError, ValueError) as error:
        raise UserError(f"train: {key} is a {type(value).__name__}; expected numbers, text, lists, dictionaries") from (
            error
        )


def of_environment(env: Environment) -> Task:
    """The generic task, with the name by which its environment can be made again, if there is one."""
    kind = type(env)
    candidates = [env.id] if env.id in registered() else []
    if "<" not in kind.__qualname__ and kind.__module__ != "__main__":
        candidates.append(f"{kind.__module__}:{kind.__qualname__}")
    return Task(next((name for name in candidates if _makes(name, env)), ""), env)


def _makes(name: str, env: Environment) -> bool:
    """Whether the name stands for an environment that no program can tell from this one."""
    if name.startswith("edgerl.") and places.is_place(name):
        return False
    try:
        return Keyed(make(name)) == Keyed(env)
    except UserError:
        return False
