"""A made-up table whose exits get better and whose images differ in difficulty. For tests; never a result."""

import numpy as np

from edgerl.tasks.early_exit.table.calibration import fit_temperatures
from edgerl.tasks.early_exit.table.table import Table, quantise
from edgerl.tasks.early_exit.trunk.data import POLICY, TEST

MACS = np.array([9.5e6, 18.1e6, 26.4e6, 35.0e6])
SIGNAL = np.array([2.3, 2.75, 3.05, 3.2])  # mean lead of the right class, in logits: accuracy 45, 54, 60, 63 %


def synthetic_table(images: int = 4000, classes: int = 100, seed: int = 0, macs: np.ndarray = MACS) -> Table:
    """Half of the images are of the policy split, the rest of the test split.

    An image has a difficulty, which all exits share, and distractors: other classes that it resembles. Each exit adds
    noise of its own to a part that exits share, so that their errors are correlated, as a real network's are.
    """
    rng = np.random.default_rng(seed)
    exits = len(macs)
    signal = np.interp(np.linspace(0, 3, exits), np.arange(4), SIGNAL)
    labels = rng.integers(0, classes, images)
    difficulty = rng.normal(size=(images, 1))
    resemblance = rng.normal(size=(images, 1, classes))
    logits = np.empty((images, exits, classes), np.float32)
    for k in range(exits):
        own = rng.normal(size=(images, classes))
        logits[:, k] = 0.85 * resemblance[:, 0] + 0.55 * own
    right = signal - 1.6 * difficulty + 0.5 * rng.normal(size=(images, exits))
    np.add.at(logits, (np.arange(images)[:, None], np.arange(exits), labels[:, None]), right)
    split = np.where(np.arange(images) % 2 == 0, POLICY, TEST).astype(np.uint8)
    temperatures = np.asarray(fit_temperatures(logits[split == POLICY], labels[split == POLICY]))
    quantised, scale = quantise(1.3 * logits)  # as overconfident as networks are
    return Table(quantised, scale, labels, split, temperatures * np.float32(1.3), macs.astype(np.float64))
