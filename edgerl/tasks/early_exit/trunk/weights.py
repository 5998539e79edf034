"""The trunk's weights in a file: kernels in float16, everything else in float32."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from edgerl.tasks.early_exit.trunk.model import Trunk, TrunkConfig
from edgerl.util.config import as_dict, build
from edgerl.util.errors import UserError
from edgerl.util.files import read_npz, write_npz

SHIPPED = Path(__file__).parents[1] / "artifacts" / "cifar100_w16_weights.npz"


def stored(variables: Any) -> Any:
    """Variables as a file holds them, float32 with kernels rounded to float16."""
    return jax.tree.map(lambda x: x.astype(jnp.float16).astype(x.dtype) if x.ndim > 1 else x, variables)


def save_weights(path: str | Path, config: TrunkConfig, variables: Any) -> None:
    """Writes the configuration and the variables of a trunk, atomically."""
    flat = traverse_util.flatten_dict(jax.device_get(variables), sep="/")
    arrays = {name: x.astype(np.float16 if x.ndim > 1 else np.float32) for name, x in flat.items()}
    write_npz(path, {"config": json.dumps(as_dict(config))} | arrays, compress=True)


def load_weights(path: str | Path = SHIPPED) -> tuple[TrunkConfig, Any]:
    """The configuration and the variables that `Trunk(config).apply` takes; the shipped ones when no path is given.

    Raises:
      UserError: the file is missing, damaged, or its arrays do not fit its configuration.
    """
    arrays = read_npz(path)
    if "config" not in arrays:
        raise UserError(f"{path} holds no trunk: it has no array 'config'")
    config = build(TrunkConfig, json.loads(str(arrays.pop("config"))), str(path))
    shapes = jax.eval_shape(Trunk(config).init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    for name, expected in traverse_util.flatten_dict(shapes, sep="/").items():
        found = arrays[name].shape if name in arrays else None
        if found != expected.shape:
            raise UserError(f"{path}: array '{name}' has shape {found}; this configuration needs {expected.shape}")
    tree = {name: jnp.asarray(array, jnp.float32) for name, array in arrays.items()}
    return config, traverse_util.unflatten_dict(tree, sep="/")


def int8_bytes(variables: Any) -> int:
    """Size of the network in int8: a byte a weight, and an int32 bias a channel, batch normalisation folded in."""
    sizes = [4 * x.shape[-1] + x.size for x in jax.tree.leaves(variables["params"]) if x.ndim > 1]
    return sum(sizes)
