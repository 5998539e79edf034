"""A made-up table of NAS-Bench-201's cells: accuracies that follow what the cells compute, and noise."""

import numpy as np

from edgerl.tasks.latent_nas.cells import space
from edgerl.tasks.latent_nas.cells.table import METRICS

CELLS = space.all_cells()


def accuracy(seed=0, noise=0.3):
    """float64 [15,625], percent: convolutions and short ways are good, pooling is bad, dead cells are at chance."""
    of_cell, representatives = space.classes()
    features = space.features(CELLS[representatives]).astype(float)
    worth = features @ np.array([3, 1.5, -2, 1, 2, 1, 0, 0.5, *np.zeros(6), 0.5, 0.3, 0.1, -0.5])
    rng = np.random.default_rng(seed)
    alive = (space.used(CELLS).any(1))[representatives]
    scaled = 60 + 30 * np.tanh(worth / 15)
    found = np.where(alive, scaled, 10.0)[of_cell] + rng.normal(0, noise, len(CELLS))
    return np.clip(found, 0, 100)


def write(path, cells=CELLS, order=None):
    """A CSV file with every column, its rows in another order."""
    spreads = [f"{name}_std" for name in METRICS if "drift" in name]
    columns = [accuracy(seed)[space.numbers(cells)] for seed in range(len(METRICS))]
    order = np.random.default_rng(0).permutation(len(cells)) if order is None else order
    rows = np.column_stack([cells, *columns, *[np.ones(len(cells))] * len(spreads)])[order]
    np.savetxt(path, rows, "%.6g", ",", header=",".join((*space.GENES, *METRICS, *spreads)), comments="")
    return path
