"""The policy of a run or of an export, and the environment that it was trained in."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import edgerl
from edgerl import deploy
from edgerl.deploy import names
from edgerl.envs import places
from edgerl.envs.environment import Environment
from edgerl.envs.policy import same_space
from edgerl.envs.policy_file import FloatPolicy, load_policy
from edgerl.envs.registry import registered
from edgerl.envs.spaces import Discrete
from edgerl.envs.vectors import as_vectors
from edgerl.rl.run import run_folder
from edgerl.tasks.registry import SHIPPED, task_of
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.errors import UserError

REPORT = "report.json"
Player = FloatPolicy | deploy.Int8Policy


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a policy was trained, as far as its folder says.

    Attributes:
      environment: id, or None.
      system: name of the system, or None: a program of the user's own.
      settings: the run's configuration, or None.
      params: what `run_folder.describe` said of the environment's parameters, or None.
      own: the folder, if it is a run's, which may hold networks of its own.
    """

    environment: str | None
    system: str | None
    settings: Mapping[str, Any] | None
    params: Mapping[str, Any] | None
    own: Path | None


def of_folder(folder: str, env_id: str) -> tuple[Environment, Player]:
    """The environment that is asked for, with the options that the policy was trained with, and the policy: a run's
    float one, or an export's in the device's arithmetic.

    Raises:
      UserError: no such environment, neither a run nor an export, or a policy of another environment.
    """
    name = names.of_folder(Path(folder))
    path, deployed = Path(folder) / f"{name}.npz", Path(folder) / f"{name}_int8.npz"
    if not path.is_file():
        raise UserError(f"--policy {folder}: expected 'random', a finished run or an export; {path} does not exist")
    origin = _origin(Path(folder))
    asked = edgerl.make(env_id).id if places.is_place(env_id) else env_id
    if origin.environment is not None and _family(origin.environment) != _family(asked):
        raise UserError(f"--policy {folder}: trained in {origin.environment}, which is not {env_id}")
    env = as_vectors(edgerl.make(env_id)) if asked != origin.environment else _environment(folder, origin, env_id)
    policy = deploy.load(deployed) if deployed.is_file() else load_policy(path)
    _require_fit(folder, policy, env, origin)
    return env, policy


def _family(env_id: str) -> str:
    """An id without its version: CartPole-v0's policy may play CartPole-v1."""
    return env_id.rpartition("-v")[0] or env_id


def _origin(folder: Path) -> Origin:
    about, report = folder / run_folder.ABOUT, folder / REPORT
    if about.is_file():
        said = run_folder.read_about(folder)
        settings = configuration.read_yaml(folder / run_folder.CONFIG)
        return Origin(_text(said, "environment"), _text(said, "system"), settings, said.get("env_params"), folder)
    said = files.read_json(report) if report.is_file() else {}
    run = said.get("run") if isinstance(said, dict) else None
    run = run if isinstance(run, dict) else {}
    env = said.get("environment") if isinstance(said, dict) else None
    configured = run.get("configuration")
    return Origin(
        _text(env, "id") if isinstance(env, dict) else None,
        _text(run, "system"),
        configured if isinstance(configured, dict) else None,
        None,
        None,
    )


def _text(said: Mapping[str, Any], key: str) -> str | None:
    value = said.get(key)
    return value if isinstance(value, str) else None


def _environment(folder: str, origin: Origin, env_id: str) -> Environment:
    """As the run made it; where the folder does not say, as `edgerl.make` does."""
    name = origin.system or ""
    if origin.settings is None or not (name in SHIPPED or places.is_place(name) or name in registered()):
        return as_vectors(edgerl.make(env_id))
    task = task_of(name)
    settings = configuration.build(task.config, origin.settings or {}, folder)
    try:
        env = task.playable(settings, origin.own)
    except UserError as error:
        raise UserError(f"--policy {folder}: {error}") from error
    _require_same(folder, origin, env)
    return env


def _require_same(folder: str, origin: Origin, env: Environment) -> None:
    """A table or a profile that was changed since the training makes another environment of the same name."""
    if not isinstance(origin.params, dict):
        return
    now = run_folder.describe(env.default_params)
    # What rewards in training are measured by; it is no part of the environment that is judged in.
    changed = [k for k, v in now.items() if k != "target" and k in origin.params and origin.params[k] != v]
    if changed:
        raise UserError(
            f"--policy {folder}: its environment is not what it was in training, {', '.join(changed)} changed: "
            "a file that the run's configuration names holds something else now"
        )


def _require_fit(folder: str, policy: Player, env: Environment, origin: Origin) -> None:
    shape, actions = env.observation_space().shape, env.action_space()
    trained = f"trained in {origin.environment}" if origin.environment else "of an environment that is not said"
    if policy.space is not None:
        if policy.sizes[:1] == shape and same_space(policy.space, actions):
            return
        raise UserError(
            f"--policy {folder}: {trained}, {policy.sizes[0]} features and actions of {policy.space}; {env.id} as it "
            f"is made here has observations {shape} and actions of {actions}"
        )
    if not isinstance(actions, Discrete):
        raise UserError(f"--policy {folder}: decides among actions, but {env.id} takes {actions}")
    takes, gives = (policy.sizes[0], policy.sizes[-1]), (*shape, actions.n)
    if takes != gives:
        raise UserError(
            f"--policy {folder}: {trained}, {takes[0]} features and {takes[1]} actions; {env.id} as it is made here "
            f"has observations {shape} and {actions.n} actions"
        )
