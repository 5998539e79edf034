"""The frozen networks in a file, and LatentNAS-v0 made from them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.env import LatentNAS, LatentNASParams
from edgerl.tasks.latent_nas.evaluation.baselines import ascent
from edgerl.tasks.latent_nas.models.model import CODES, LATENT, OUTPUTS, Autoencoder, Layer
from edgerl.tasks.latent_nas.models.surrogate import Member, Surrogate
from edgerl.util.errors import UserError
from edgerl.util.files import read_npz, write_npz

SHIPPED = Path(__file__).parent / "artifacts" / "analog_nas.npz"

_SURROGATE = ("quantile", "block_features", "whole_features")


@dataclasses.dataclass(frozen=True)
class Models:
    """What an environment is made of, and how it came about."""

    autoencoder: Autoencoder
    surrogate: Surrogate
    provenance: dict[str, Any]  # citation and licence of the data, configuration, and what held-out rows say


def latent_nas_v0(history: int = 0, budget: float | None = None, weighed: bool = False) -> LatentNAS:
    """LatentNAS-v0 on the shipped networks; see `from_models`."""
    return from_models(load_models(), history, budget, weighed)


def from_models(
    models: Models,
    history: int = 0,
    budget: float | None = None,
    weighed: bool = False,
    pessimism: float = 1.0,
    step_cost: float = 0.0,
    shaped: bool = False,
) -> LatentNAS:
    """The environment of an autoencoder and a surrogate.

    Args:
      models: the shipped ones (`load_models()`), or trained on a user's own table.
      history: how many of the last actions are observed.
      budget: parameters that a network may have; more cost. None: as many as it likes.
      weighed: objectives are weighed, by weights drawn for every episode and observed.
      pessimism, step_cost: see `LatentNASParams`.
      shaped: rewards for learning, see `LatentNAS`; their target is found by coordinate ascent.
    Raises:
      UserError: `history` or `budget` is out of range.
    """
    if not 0 <= history <= 200:
        raise UserError(f"history is {history}; expected 0 to 200 past actions")
    if budget is not None and not budget > 0:
        raise UserError(f"budget is {budget}; expected more than 0 parameters")
    params = LatentNASParams(models.autoencoder.decoder, models.autoencoder.codebook, models.surrogate)
    params = dataclasses.replace(params, pessimism=pessimism, step_cost=step_cost)
    if budget is not None:
        params = dataclasses.replace(params, budget=float(budget))
    if shaped and not weighed:
        plain = LatentNAS(params, history, budget is not None)
        best = np.max(ascent(plain, params, jax.random.key(0))[0])
        params = dataclasses.replace(params, target=float(best))
    return LatentNAS(params, history, budget is not None, weighed, shaped)


def save_models(path: str | Path, models: Models) -> None:
    """Writes models as a compressed `.npz` of plain arrays, atomically."""
    arrays: dict[str, Any] = {"provenance": json.dumps(models.provenance), "codebook": models.autoencoder.codebook}
    for part in ("encoder", "decoder"):
        for i, layer in enumerate(getattr(models.autoencoder, part)):
            arrays |= {f"{part}_{i}_kernel": layer.kernel, f"{part}_{i}_bias": layer.bias}
    network = models.surrogate.network
    arrays |= {f"surrogate_{f.name}": getattr(network, f.name) for f in dataclasses.fields(network)}
    arrays |= {name: np.asarray(getattr(models.surrogate, name)) for name in _SURROGATE}
    write_npz(path, arrays, compress=True)


def load_models(path: str | Path = SHIPPED) -> Models:
    """Reads what `save_models` wrote; the shipped models when no path is given.

    Raises:
      UserError: the file is missing or damaged, or its arrays do not fit each other.
    """
    arrays = read_npz(path)
    try:
        provenance = json.loads(str(arrays.pop("provenance")))
        encoder, decoder = (_layers(arrays, part) for part in ("encoder", "decoder"))
        codebook = arrays.pop("codebook")
        quantile, *columns = (arrays.pop(name) for name in _SURROGATE)
        chosen = [tuple(map(int, column)) for column in columns]
        fields = [f.name for f in dataclasses.fields(Member)]
        network = Member(*(arrays.pop(f"surrogate_{name}") for name in fields))
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path} holds no models of latent-nas: {error} is missing or damaged") from error
    models = Models(Autoencoder(encoder, decoder, codebook), Surrogate(network, quantile, *chosen), provenance)
    _check(path, models)
    return models


def _layers(arrays: dict[str, np.ndarray], part: str) -> tuple[Layer, ...]:
    count = sum(name.startswith(f"{part}_") and name.endswith("_kernel") for name in arrays)
    return tuple(Layer(arrays.pop(f"{part}_{i}_kernel"), arrays.pop(f"{part}_{i}_bias")) for i in range(count))


def _check(path: str | Path, models: Models) -> None:
    """Every array is finite float32, and `decode` and the surrogate can be traced with the shapes that they have."""
    for leaf in jax.tree.leaves((models.autoencoder, models.surrogate)):
        if leaf.dtype != np.float32 or not np.isfinite(leaf).all():
            raise UserError(f"{path}: an array is {leaf.dtype} or not finite; expected finite float32")
    shapes_fit = models.autoencoder.codebook.shape == (CODES, LATENT)
    try:
        genes = jax.ShapeDtypeStruct((22,), jnp.int32)
        shapes_fit &= jax.eval_shape(models.autoencoder.encode, genes).shape == (LATENT,)
        shapes_fit &= models.autoencoder.decoder[-1].kernel.shape[0] == OUTPUTS
        jax.eval_shape(models.autoencoder.decode, jax.ShapeDtypeStruct((LATENT,), jnp.float32))
        jax.eval_shape(models.surrogate.of_genes, genes)
    except (TypeError, ValueError, IndexError):
        shapes_fit = False
    if not shapes_fit:
        raise UserError(f"{path}: the shapes of its arrays do not fit each other")
