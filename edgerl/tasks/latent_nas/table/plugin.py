"""AnalogNAS's 22 genes as a search space."""

import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.spaces import SearchSpace
from edgerl.tasks.latent_nas.table import space
from edgerl.tasks.latent_nas.table.data import read_csv


def _sample(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.asarray(space.from_uniform(jnp.asarray(rng.random((count, len(space.GENES)), np.float32))))


ANALOGNAS = SearchSpace(
    name="analognas",
    genes=space.GENES,
    low=space.LOW,
    high=space.HIGH,
    sample=_sample,
    buildable=space.buildable,
    parameter_count=space.parameter_count,
    describe=space.as_dict,
    read=read_csv,
    judged_by="a rule found in the table, which nothing learns from (space.in_high_group)",
)
