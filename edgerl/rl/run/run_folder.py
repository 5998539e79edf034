"""The folder of a training run: made with its configuration first, so that a killed run can be told and resumed.

config.yaml      what `--config` reads back
run.json         the system, the environment and its parameters
log.csv          metrics of every update and seed
tensorboard/     the same, averaged over the seeds
checkpoints/     the last two, by Orbax
policy.npz       the best seed's greedy policy: at the end
result.json      how it was judged: written last, so that it marks a finished run
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import yaml

from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.errors import UserError

CONFIG, ABOUT, LOG, RESULT, POLICY = "config.yaml", "run.json", "log.csv", "result.json", "policy.npz"
CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"
_WHERE = "mesh"  # the key of a configuration that says where it is trained: it may change on the way


def open_folder(folder: Path, config: Mapping[str, Any], about: Mapping[str, Any], resume: bool) -> None:
    """Makes the folder of a new run, or checks that it holds this very run, unfinished.

    Raises:
      UserError: the folder is something else, a finished run, one of another configuration, or `resume` is false.
    """
    if not folder.exists():
        with files.new_folder(folder) as new:
            (new / CONFIG).write_text(yaml.safe_dump(dict(config), sort_keys=False))
            files.write_json(new / ABOUT, dict(about))
        return
    if not (folder / CONFIG).is_file() or not (folder / ABOUT).is_file():
        raise UserError(f"{folder} exists and is not a run folder (no {CONFIG} and {ABOUT}): name a new folder")
    if (folder / RESULT).exists():
        raise UserError(f"{folder} holds a finished run: name a new folder, or remove it")
    if not resume:
        raise UserError(f"{folder} holds an unfinished run: resume it, name a new folder, or remove it")
    saved = {**configuration.read_yaml(folder / CONFIG), "run": read_about(folder)}
    now = {**config, "run": dict(about)}
    require_same(
        f"{folder} holds an unfinished run", *({k: x for k, x in c.items() if k != _WHERE} for c in (saved, now))
    )


def require_same(what: str, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises a `UserError` that begins with `what` and names the first key in which two configurations differ."""
    difference = _first_difference(saved, now)
    if difference is not None:
        key, old, new = difference
        raise UserError(f"{what} with {key} = {old}, not {new}: name a new folder")


def read_about(folder: Path) -> dict[str, Any]:
    """What `run.json` says.

    Raises:
      UserError: it is not there, or holds something else.
    """
    about = files.read_json(folder / ABOUT)
    says = about if isinstance(about, dict) else {}
    if not isinstance(says.get("environment"), str) or not isinstance(says.get("system", ""), str):
        raise UserError(f"{folder / ABOUT} is damaged: it does not say in which environment the run is")
    return says


def describe(tree: Any) -> dict[str, Any]:
    """Every number of a pytree by its path; of an array its shape and a digest."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): _describe_leaf(np.asarray(leaf))
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _describe_leaf(x: np.ndarray) -> Any:
    if x.ndim == 0:
        return x.item()
    digest = hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()[:16]
    return f"{x.dtype}{list(x.shape)} sha256 {digest}"


def _first_difference(a: Any, b: Any, path: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in (*a, *(k for k in b if k not in a)):
            found = _first_difference(a.get(key), b.get(key), f"{path}.{key}" if path else str(key))
            if found is not None:
                return found
        return None
    return None if a == b else (path, a, b)
