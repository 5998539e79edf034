"""From a table to the frozen networks of the environment, with what rows that they never saw say of them."""

import dataclasses
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.factory import Models
from edgerl.tasks.latent_nas.models import fit_model, fit_surrogate, scores
from edgerl.tasks.latent_nas.models.fit_model import LABEL_WEIGHTS, FitConfig, Weights
from edgerl.tasks.latent_nas.models.fit_surrogate import SurrogateConfig
from edgerl.tasks.latent_nas.models.model import LATENT, Autoencoder, ModelConfig
from edgerl.tasks.latent_nas.models.surrogate import Surrogate
from edgerl.tasks.latent_nas.table import trust
from edgerl.tasks.latent_nas.table.data import Architectures, read_csv, split
from edgerl.tasks.latent_nas.table.space import buildable
from edgerl.util.config import as_dict, field
from edgerl.util.errors import UserError

LEAST_ROWS = 100
LEAST_JUDGED = 10  # held-out rows
RANDOM_LATENTS = 1_000_000


@dataclasses.dataclass(frozen=True)
class BuildConfig:
    """How the networks are trained."""

    seed: int = field(0, "of both networks' random keys", low=0, high=2**31 - 1)
    autoencoder: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    fit: FitConfig = dataclasses.field(default_factory=FitConfig)
    surrogate: SurrogateConfig = dataclasses.field(default_factory=SurrogateConfig)


def build(path: str | Path, config: BuildConfig) -> Models:
    """Trains on four fifths of a table's rows and reports on the rest; see `data.read_csv` and `data.split`.

    Raises:
      UserError: the table cannot be used, or has too few rows.
    """
    table = read_csv(path)
    if len(table) < LEAST_ROWS:
        raise UserError(f"{path} has {len(table)} rows: {LEAST_ROWS} at least are needed, four fifths to learn from")
    return build_from(table, config, Path(path).name)


def build_from(table: Architectures, config: BuildConfig, name: str = "a table in memory") -> Models:
    """As `build`, from a table in memory, which messages and the models' provenance call `name`."""
    started = time.perf_counter()
    train, held_out = (table[rows] for rows in split(len(table)))
    test = held_out[_unseen(train, held_out)]
    seen = len(held_out) - len(test)
    if len(test) < LEAST_JUDGED:
        raise UserError(
            f"{name}: {len(test)} of the {len(held_out)} held-out rows are architectures that no training row has; "
            f"{LEAST_JUDGED} at least are needed to evaluate by"
        )
    surrogate = fit_surrogate.fit(train, config.surrogate, config.seed)
    fitted = time.perf_counter()
    weights = LABEL_WEIGHTS if config.autoencoder.quantiser == "label" else Weights()
    model = jax.block_until_ready(fit_model.fit(train, config.fit, config.autoencoder, weights, config.seed))
    _check_finite(name, surrogate, model)
    seconds = {"surrogate": fitted - started, "autoencoder": time.perf_counter() - fitted}
    provenance = {
        **trust.describe(table, name),
        "rows": {"training": len(train), "held out": len(test)} | ({trust.SEEN: seen} if seen else {}),
        "config": as_dict(config),
        "seconds": seconds,
        "surrogate": scores.report(surrogate, test),
        "autoencoder": fit_model.report(model, surrogate, test, config.autoencoder.quantiser)
        | {"random_latents_buildable": decoded_buildable(model, config.seed)},
    }
    return Models(model, surrogate, provenance)


def _unseen(train: Architectures, held_out: Architectures) -> np.ndarray:
    """bool [N]: which held-out rows are architectures that no training row has."""
    known = {genes.tobytes() for genes in train.genes}
    return np.array([genes.tobytes() not in known for genes in held_out.genes], bool)


def _check_finite(name: str, surrogate: Surrogate, model: Autoencoder) -> None:
    for what, key, network in (("surrogate", "surrogate.learning_rate", surrogate), ("autoencoder", "fit", model)):
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(network)):
            raise UserError(f"{name}: the weights of the {what} are not finite numbers: look at build.{key}")


def decoded_buildable(model: Autoencoder, seed: int, count: int = RANDOM_LATENTS) -> float:
    """Share of buildable networks among what random latents decode to: half N(0, I), half ten times as far out."""

    @jax.jit
    def share(key: jax.Array) -> jax.Array:
        scale = jnp.where(jnp.arange(count) % 2, 10.0, 1.0)[:, None]
        return buildable(jax.vmap(model.decode)(scale * jax.random.normal(key, (count, LATENT)))).mean()

    return float(np.asarray(share(jax.random.key(seed))))
