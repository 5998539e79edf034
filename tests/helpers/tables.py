"""Made-up tables in AnalogNAS's format: two groups of accuracies, told apart by depth and widening, and noise."""

import csv

import jax
import numpy as np

from edgerl.tasks.latent_nas.table import space
from edgerl.tasks.latent_nas.table.data import TARGETS, Architectures


def table(rows, seed=0):
    genes = np.asarray(jax.jit(jax.vmap(space.sample))(jax.random.split(jax.random.key(seed), rows)))
    rng = np.random.default_rng(seed)
    high = space.in_high_group(genes)
    accuracy = np.where(high, rng.uniform(0.9, 0.94, rows), rng.uniform(0.6, 0.9, rows))
    spread = np.where(high, 0.02, 0.05) + rng.uniform(0, 0.01, rows)
    return Architectures(genes, np.stack([accuracy, spread, 100 * spread], 1))


def lines(architectures):
    """The table as text, row by row, the header first."""
    rows = [[*space.GENES, *TARGETS]]
    for genes, targets in zip(architectures.genes, architectures.targets, strict=True):
        rows.append([*map(str, space.as_dict(genes).values()), *map(repr, map(float, targets))])
    return rows


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path
