"""NAS-Bench-201's cells as a search space."""

from typing import Any

import numpy as np

from edgerl.tasks.latent_nas.cells import space
from edgerl.tasks.latent_nas.cells.table import read_csv
from edgerl.tasks.latent_nas.cells.way import CellsWay
from edgerl.tasks.latent_nas.spaces import SearchSpace

_COUNT = len(space.GENES)


def _describe(cell: np.ndarray) -> dict[str, Any]:
    return {"cell": space.as_text(cell), **dict(zip(space.GENES, map(int, cell), strict=True))}


NASBENCH201 = SearchSpace(
    name="nasbench201",
    genes=space.GENES,
    low=np.zeros(_COUNT, np.int32),
    high=np.full(_COUNT, len(space.OPERATIONS) - 1, np.int32),
    sample=lambda rng, count: rng.integers(0, len(space.OPERATIONS), (count, _COUNT), np.int32),
    buildable=space.buildable,
    parameter_count=space.parameter_count,
    describe=_describe,
    read=read_csv,
    judged_by="the measured accuracy of every cell in the table",
    way=CellsWay(),
)
