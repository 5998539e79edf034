"""Hyper-parameters of the autoencoder: a random search whose trainings are one vmapped program.

Judged on a fifth of the *training* rows, which these trainings do not see; the held-out rows stay unseen.
Reference: Bergstra & Bengio, "Random Search for Hyper-Parameter Optimization", 2012.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.models import fit_model
from edgerl.tasks.latent_nas.models.fit_model import FitConfig, Weights
from edgerl.tasks.latent_nas.models.model import ModelConfig
from edgerl.tasks.latent_nas.models.surrogate import Surrogate
from edgerl.tasks.latent_nas.table.data import Architectures, split

RANGES = {  # (low, high), drawn uniformly on a logarithmic scale
    "learning_rate": (3e-4, 1e-2),
    "commitment": (1e-3, 1.0),
    "depth": (0.03, 3.0),
    "supervision": (0.1, 10.0),
    "widening": (0.5, 4.0),
    "quantised": (0.03, 1.0),
}
JUDGED = (
    "error_over_column_means",
    "error_over_column_means_quantised",
    "depth_exact",
    "prediction_survives",
    "codes_used",
)


def search(
    table: Architectures, surrogate: Surrogate, count: int, config: FitConfig, model: ModelConfig, seed: int
) -> list[dict[str, Any]]:
    """Trains `count` settings side by side, the defaults and random ones; the best first.

    Args:
      table: the rows to learn from; a fifth of them judges.
      surrogate: says whether the predicted accuracy survives.
      config: how long each is trained.
    Returns:
      For each setting its numbers, `RANGES`, and `JUDGED`, see `fit_model.report`.
    """
    train, judge = (table[rows] for rows in split(len(table), seed=seed))
    weights = settings(count, seed)
    key = jax.random.key(seed)
    models = jax.block_until_ready(fit_model.fit_many(train, config, model, weights, key))
    rows = []
    for i in range(count):
        made = fit_model.report(jax.tree.map(lambda x, i=i: x[i], models), surrogate, judge, model.quantiser)
        numbers = {name: float(getattr(weights, name)[i]) for name in RANGES}
        rows.append({"setting": i, **numbers, **{name: made[name] for name in JUDGED}})
    return sorted(rows, key=lambda row: row[JUDGED[0]])


def settings(count: int, seed: int) -> Weights:
    """Weights [count]: the defaults first, then random ones."""
    rng = np.random.default_rng(seed)
    usual = Weights()
    drawn = {}
    for name, (low, high) in RANGES.items():
        values = np.exp(rng.uniform(np.log(low), np.log(high), count))
        values[0] = getattr(usual, name)
        drawn[name] = jnp.asarray(values, jnp.float32)
    others = {f.name: getattr(usual, f.name) for f in dataclasses.fields(usual) if f.name not in RANGES}
    return Weights(**drawn, **{name: jnp.full(count, value) for name, value in others.items()})
