"""`edgerl.import_policy`: a foreign file in, a policy out, and a run folder that everything else opens."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from edgerl.envs.entry import environment_of
from edgerl.envs.environment import Environment
from edgerl.envs.policy import Activation, MLPPolicy
from edgerl.envs.policy_file import save_policy
from edgerl.envs.vectors import as_vectors
from edgerl.rl.run import run_folder
from edgerl.tasks.generic import settings
from edgerl.tasks.imports import forms, normalisers, policies
from edgerl.tasks.imports.policies import Spaces
from edgerl.tasks.registry import task_of
from edgerl.tasks.run import IMPORTED, Run, tell
from edgerl.tasks.training import of_environment
from edgerl.util import files
from edgerl.util.errors import UserError


def import_policy(
    file: str | Path,
    env: Environment | str,
    out: str | Path | None = None,
    *,
    normaliser: str | Path | None = None,
    activation: Activation | None = None,
    prefix: str = "",
) -> MLPPolicy:
    """A policy that another library trained, from its file. Nothing is unpickled, and PyTorch is not needed.

    Read are zips of Stable-Baselines3 (PPO, A2C and DQN with MlpPolicy), state dictionaries of dense layers saved by
    `torch.save`, as safetensors or as `.npz` (of Flax or PyTorch), and int8 `.tflite` perceptrons. The action is the
    index of the largest output; of a box the outputs themselves, in the environment's units, clipped to it.

    Args:
      file: what the other library saved.
      env: the environment that it decides in, or its id or place.
      out: folder to make, a run that `edgerl evaluate`, `export` and `simulate` open; None: none is written.
      normaliser: Stable-Baselines3's `vecnormalize.pkl`, or an `.npz` or safetensors with `mean` and `var`, if the
        observations were scaled in training. It is folded into the first layer; its clipping is not.
      activation: between the layers, where the file does not say.
      prefix: of the tensors' names that count, where a file has several networks: "actor.".
    Raises:
      UserError: the file is damaged, too large, of a kind or with a network that is not read, or of another
        environment; its activation is not known; `out` exists.

    Example:
      >>> np.savez("net.npz", **{"0.weight": np.eye(2, 4), "0.bias": np.zeros(2)})
      >>> policy = edgerl.import_policy("net.npz", "CartPole-v1")
      >>> policy.sizes, int(policy(None, jnp.array([0.0, 1.0, 0.0, 0.0])))
      ((4, 2), 1)
    """
    options: dict[str, Any] = {"normaliser": normaliser, "activation": activation, "prefix": prefix}
    if out is not None:
        return import_run(file, env, out, **options).perceptron
    found = _read(Path(file), as_vectors(environment_of(env, "import_policy")), **options)
    tell(found.source["remarks"])
    return found.policy


def import_run(file: str | Path, env: Environment | str, out: str | Path, **options: Any) -> Run:
    """The same with a folder, as the run that it then is."""
    made = environment_of(env, "import_policy")
    task = task_of(env) if isinstance(env, str) else of_environment(made)
    vectors = as_vectors(made)
    files.must_be_new(out)
    found = _read(Path(file), vectors, **options)
    settings.require_sound(vectors)
    _write(Path(out), found, vectors, task.name)
    tell(found.source["remarks"])
    return task.open(out)


@dataclasses.dataclass(frozen=True, eq=False)
class _Imported:
    """A policy, and what is said of where it comes from."""

    policy: MLPPolicy
    source: Mapping[str, Any]


def _read(path: Path, env: Environment, normaliser: str | Path | None, activation: Any, prefix: str) -> _Imported:
    if activation is not None and activation not in get_args(Activation):
        raise UserError(f"the activation is '{activation}'; known: {', '.join(get_args(Activation))}")
    spaces = Spaces.of(env)
    scaled = None if normaliser is None else normalisers.read(Path(normaliser), spaces.features)
    found = forms.read(path, spaces, normaliser is not None, prefix)
    chosen = _activation(path, found, activation)
    policy = policies.made(found.layers, chosen, spaces, scaled, str(path))
    remarks = list(found.remarks)
    if scaled is not None and scaled.reached(*spaces.observations.bounds()):
        remarks.append(
            f"in training, observations more than {scaled.clip:g} deviations from the mean were clipped, and "
            f"{env.id} may have some: here they are not"
        )
    digest = hashlib.sha256(found.data).hexdigest()
    source = {"file": path.name, "sha256": digest, "format": found.form, "normalised": scaled is not None}
    return _Imported(policy, {**source, "remarks": remarks})


def _activation(path: Path, found: forms.Found, given: Activation | None) -> Activation:
    """What the file says, or else what is given; none is needed where there is one layer."""
    if found.activation is not None and given not in (None, found.activation):
        raise UserError(f"{path} has the activation {found.activation} between its layers, not {given}")
    chosen = found.activation or given
    if chosen is None and len(found.layers) > 1:
        known = ", ".join(get_args(Activation))
        raise UserError(f"{path} does not say which activation is between its layers: --activation says it: {known}")
    return chosen or "relu"


def _write(folder: Path, found: _Imported, env: Environment, name: str) -> None:
    """A finished run, whose configuration says no more than is known."""
    about: dict[str, Any] = {"system": name} if name else {}
    about |= {"environment": env.id, "env_params": run_folder.describe(env.default_params)}
    network = {"hidden_sizes": list(found.policy.sizes[1:-1]), "activation": found.policy.activation}
    config = {"environment": name or env.id, "num_seeds": 1, "evaluation_steps": settings.horizon(env), "ppo": network}
    with files.new_folder(folder) as new:
        files.write_bytes(new / run_folder.CONFIG, yaml.safe_dump(config, sort_keys=False).encode())
        files.write_json(new / run_folder.ABOUT, about)
        save_policy(new / run_folder.POLICY, found.policy)
        files.write_json(new / run_folder.RESULT, {**about, "best_seed": 0, IMPORTED: dict(found.source)})
