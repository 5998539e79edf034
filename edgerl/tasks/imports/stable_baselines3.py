"""The zip files of Stable-Baselines3's PPO, A2C and DQN: the acting network, without PyTorch and without unpickling.

Reference: Raffin et al., "Stable-Baselines3: Reliable Reinforcement Learning Implementations", 2021; its documentation
on saving. `data` is JSON in which Python's own objects are pickles as base64, `policy.pth` a state dictionary.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgerl.envs.policy import Activation
from edgerl.envs.spaces import Box, Discrete
from edgerl.tasks.imports import networks, pickles, torch_zip
from edgerl.tasks.imports.networks import Layer
from edgerl.tasks.imports.pickled_arrays import array, number
from edgerl.tasks.imports.pickles import Call, Name, PickleError
from edgerl.tasks.imports.policies import Spaces
from edgerl.tasks.imports.reading import Archive, json_object
from edgerl.util.errors import UserError

_MEMBERS = frozenset({"data", "policy.pth"})
_ACTOR_CRITIC = "stable_baselines3.common.policies.ActorCriticPolicy"
_DQN = "stable_baselines3.dqn.policies.DQNPolicy"
# Class of the policy -> (what acts, what else its state dictionary has, the activation by default).
_READ: dict[str, tuple[re.Pattern[str], re.Pattern[str], Activation]] = {
    _ACTOR_CRITIC: (
        re.compile(r"(mlp_extractor\.(?:shared|policy)_net\.\d{1,3}|action_net)\.(?:weight|bias)"),
        re.compile(r"log_std|(mlp_extractor\.)?value_net\..*"),
        "tanh",
    ),
    _DQN: (re.compile(r"(q_net\.q_net\.\d{1,3})\.(?:weight|bias)"), re.compile(r"q_net_target\..*"), "relu"),
}
_ACTIVATIONS: dict[str, Activation] = {"Tanh": "tanh", "ReLU": "relu", "ReLU6": "relu6", "Sigmoid": "sigmoid"}
_FLATTEN = "stable_baselines3.common.torch_layers.FlattenExtractor"


def is_stable_baselines3(names: frozenset[str]) -> bool:
    """Whether a zip archive with these members is Stable-Baselines3's."""
    return names >= _MEMBERS


def read(data: bytes, spaces: Spaces, where: str, normalised: bool) -> tuple[list[Layer], Activation, str]:
    """(layers, activation, what wrote the file).

    Args:
      spaces: of the environment that it is imported for.
      where: the file's name in an error.
      normalised: whether the statistics of a normaliser were given.
    Raises:
      UserError: another algorithm, an agent of other spaces, what this package has no network for, or damaged.
    """
    archive = Archive(data, where)
    said = json_object(archive.read("data"), f"{where}: data")
    version = _version(archive)
    try:
        kind = _policy_class(said, where)
        acting, beside, default = _READ[kind]
        _check_spaces(said, spaces, where)
        activation = _activation(_options(said), default, where)
    except PickleError as error:
        raise UserError(f"{where}: data is damaged, or not Stable-Baselines3's: {error}") from error
    if kind == _ACTOR_CRITIC and said.get("_last_original_obs") is not None and not normalised:
        raise UserError(
            f"{where} was trained on observations that VecNormalize scaled: "
            "give its statistics with --normaliser vecnormalize.pkl"
        )
    tensors = torch_zip.read(archive.read("policy.pth"), f"{where}: policy.pth")
    return _layers(tensors, acting, beside, f"{where}: policy.pth"), activation, f"Stable-Baselines3 {version}"


def _version(archive: Archive) -> str:
    name = "_stable_baselines3_version"
    text = archive.read(name)[:40].decode("utf-8", "replace").strip() if name in archive.names else ""
    return text if re.fullmatch(r"[\w.+-]+", text) else "of unknown version"


def _unpickled(value: Any, what: str) -> Any:
    """What an object in `data` was, read by `pickles`; any name may occur, since none is followed."""
    text = value.get(":serialized:") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise PickleError(f"{what} is not there")
    try:
        return pickles.read(base64.b64decode(text, validate=True), lambda name: True)
    except PickleError as error:
        raise PickleError(f"{what}: {error}") from error
    except ValueError as error:
        raise PickleError(f"{what} is no base64") from error


def _policy_class(said: Mapping[str, Any], where: str) -> str:
    try:
        found = _unpickled(said.get("policy_class"), "policy_class")
    except PickleError as error:
        raise UserError(
            f"{where} is of a policy class that its program made itself, or damaged ({error}); read are agents of "
            "Stable-Baselines3's PPO, A2C and DQN with MlpPolicy"
        ) from error
    path = found.path if isinstance(found, Name) else ""
    if path not in _READ:
        raise UserError(
            f"{where} has a policy of the class {path[:100] or 'that is not named'}; read are agents of "
            "Stable-Baselines3's PPO, A2C and DQN with MlpPolicy"
        )
    return path


def _options(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """`policy_kwargs`: plain JSON, or a pickle where JSON cannot hold it."""
    given = said.get("policy_kwargs", {})
    found = _unpickled(given, "policy_kwargs") if isinstance(given, dict) and ":serialized:" in given else given
    if not isinstance(found, dict):
        raise PickleError("policy_kwargs is no dictionary")
    return found


def _activation(options: Mapping[str, Any], default: Activation, where: str) -> Activation:
    """Of the hidden layers; what else the options may ask for is refused where a perceptron cannot do it."""
    extractor = options.get("features_extractor_class")
    if extractor is not None and not (isinstance(extractor, Name) and extractor.path == _FLATTEN):
        name = extractor.path if isinstance(extractor, Name) else "of its program's own"
        raise UserError(f"{where} has a features extractor, {name[:100]}; only networks of dense layers are read")
    if options.get("squash_output"):
        raise UserError(f"{where} bounds its actions by tanh (squash_output), which no policy here can")
    chosen = options.get("activation_fn")
    if chosen is None:
        return default
    module, _, name = chosen.path.rpartition(".") if isinstance(chosen, Name) else ("", "", "")
    if not module.startswith("torch.nn.") or name not in _ACTIVATIONS:
        raise UserError(f"{where} has the activation {name[:100] or 'of its own'}; known: {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def _check_spaces(said: Mapping[str, Any], spaces: Spaces, where: str) -> None:
    """Refuses an agent of other spaces: its outputs would mean something else."""
    path, actions = _space(said, "action_space")
    if path == "discrete.Discrete":
        count, start = (number(actions.get(key, 0), f"action_space.{key}") for key in ("n", "start"))
        if start or not isinstance(spaces.actions, Discrete) or count != spaces.actions.n:
            raise UserError(
                f"{where} decides among {count:g} actions from {start:g} on; the environment takes {spaces.actions}"
            )
    elif path == "box.Box":
        low, high = (array(actions.get(key), f"action_space.{key}") for key in ("low", "high"))
        sides = spaces.actions.bounds() if isinstance(spaces.actions, Box) else ()
        if not (sides and np.array_equal(low, sides[0]) and np.array_equal(high, sides[1])):
            shown = f"{_shown(low)} to {_shown(high)}"
            raise UserError(f"{where} takes actions from {shown}; the environment takes {spaces.actions}")
    else:
        raise UserError(f"{where} takes actions of {path[:100]}; supported are Discrete and Box")


def _space(said: Mapping[str, Any], key: str) -> tuple[str, Mapping[str, Any]]:
    """(class without its package, attributes) of a space of Gym or Gymnasium."""
    found = _unpickled(said.get(key), key)
    parts = found.name.split(".spaces.") if isinstance(found, Call) else []
    if len(parts) != 2 or parts[0] not in ("gym", "gymnasium") or not isinstance(found.state, dict):
        raise PickleError(f"{key} is no space of Gymnasium")
    return parts[1], found.state


def _shown(values: np.ndarray) -> str:
    few = values.reshape(-1)[:4].tolist()
    return str(few if values.size <= 4 else [*few, "…"])


def _layers(
    tensors: Mapping[str, np.ndarray], acting: re.Pattern[str], beside: re.Pattern[str], where: str
) -> list[Layer]:
    """The acting network, in order; a tensor that belongs nowhere is refused."""
    names: dict[str, None] = {}
    for name in tensors:
        found = acting.fullmatch(name)
        if found:
            names[found[1]] = None
        elif not beside.fullmatch(name):
            raise UserError(f"{where} has the tensor {name}, which no network of dense layers has: it is not read")
    return networks.dense(tensors, sorted(names, key=_place), where)


def _place(name: str) -> tuple[int, int]:
    """What comes first: layers that value and policy share, then the policy's own, then the last one."""
    part, _, number = name.rpartition(".")
    kinds = ("mlp_extractor.shared_net", "mlp_extractor.policy_net", "q_net.q_net")
    return (kinds.index(part), int(number)) if part in kinds else (len(kinds), 0)
