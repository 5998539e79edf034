"""Choosing the surrogate's settings by rows that it was not fitted to, and that are not the held-out ones."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.models import fit_surrogate, scores
from edgerl.tasks.latent_nas.models.fit_surrogate import SurrogateConfig
from edgerl.tasks.latent_nas.models.surrogate import Member
from edgerl.tasks.latent_nas.table.data import Architectures

FOLDS = 5
SPARSITY, GROUP_SPARSITY = (0.0, 0.3, 0.6, 1.0, 1.5), (0.5, 1.0, 1.5, 2.0)


def choose(table: Architectures, config: SurrogateConfig, seeds: tuple[int, ...] = (0, 1)) -> list[dict[str, float]]:
    """`cross_validate` for every pair of penalties, as means over `seeds` of the folds; the least error first."""
    rows = []
    for group_sparsity in GROUP_SPARSITY:
        for sparsity in SPARSITY:
            tried = dataclasses.replace(config, sparsity=sparsity, group_sparsity=group_sparsity)
            each = [cross_validate(table, tried, seed) for seed in seeds]
            means = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
            rows.append({"sparsity": sparsity, "group_sparsity": group_sparsity, **means})
    return sorted(rows, key=lambda row: row["rmse"])


def cross_validate(table: Architectures, config: SurrogateConfig, seed: int) -> dict[str, float]:
    """What single members say of rows [N] that they were not fitted to, each row being left out once.

    Returns:
      Root mean squared error over all rows and the standard error of its mean over the folds, R², Spearman's rank
      correlation, and how many features of the blocks and of the whole network the members use on average.
    """
    config = dataclasses.replace(config, members=FOLDS)
    fold = fit_surrogate.folds(len(table), FOLDS, seed)
    inside = fold != np.arange(FOLDS)[:, None]
    members = fit_surrogate.fit_members(table, config, fit_surrogate.settings_of(config), inside, seed)
    made = np.asarray(_unseen(members, table.genes, fold))
    error = table.targets[:, 0] - made
    each = [np.sqrt(np.mean(error[fold == k] ** 2)) for k in range(FOLDS)]
    return {
        **scores.of_predictions(made, table.targets[:, 0]),
        "rmse_standard_error": float(np.std(each, ddof=1) / np.sqrt(FOLDS)),
        "features": _used(members.block_kernel) + _used(members.kernel[:, :, config.block_units :]),
    }


def _used(kernel: np.ndarray) -> float:
    """How many columns of kernels [K, out, in] have a weight, on average."""
    return float((kernel != 0).any(1).sum(1).mean())


@jax.jit
def _unseen(members: Member, genes: jax.Array, fold: jax.Array) -> jax.Array:
    """Accuracies [N], each predicted by the member of the row's fold."""

    def one(genes: jax.Array, fold: jax.Array) -> jax.Array:
        return jax.tree.map(lambda x: jnp.asarray(x)[fold], members)(*fit_surrogate.inputs(genes))[0]

    return jax.vmap(one)(jnp.asarray(genes), jnp.asarray(fold))
