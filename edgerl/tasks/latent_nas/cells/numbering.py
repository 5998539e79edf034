"""Which number is which operation, and which column is which edge: found from a table's digital accuracies.

`python -m edgerl.tasks.latent_nas.cells.numbering FILE.csv` prints it. Three steps, each by what the operations do:

* `none`: a cell of it alone has no way from input to output. Its accuracy is the least of the five uniform cells'.
* `skip_connect` and the order of the edges: of 4 operations times 720 orders, those under which cells that compute the
  same have the most equal accuracies, by their variance within classes, dead cells left out.
* the three others: of cells that use one of them beside `skip_connect` and `none`, pooling, which has no weights, is
  the worst, and a 3 x 3 convolution, which sees neighbours, better than a 1 x 1. This last step is knowledge about
  networks; no equality of cells could tell the three apart.
"""

import dataclasses
import itertools
import sys

import numpy as np

from edgerl.tasks.latent_nas.cells import space


@dataclasses.dataclass(frozen=True)
class Numbering:
    """What was found.

    Attributes:
      operations: names by their numbers.
      edges: (from, to) by their columns.
      within: variance of the accuracy within classes over that of all living cells; `next_best`: with another order of
        the edges or another skip, the least.
    """

    operations: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    within: float
    next_best: float


def derive(cells: np.ndarray, accuracy: np.ndarray) -> Numbering:
    """The numbering of a table.

    Args:
      cells: int [N, 6], numbers 0 to 4; the five uniform cells among them.
      accuracy: float [N], percent or shares.
    """
    uniform = [accuracy[(cells == o).all(1)].mean() for o in range(5)]
    none = int(np.argmin(uniform))
    found = []
    for skip in (o for o in range(5) if o != none):
        for edges in itertools.permutations(space.EDGES):
            found.append((_within(cells, accuracy, edges, skip, none), skip, edges))
    found.sort(key=lambda one: one[0])
    within, skip, edges = found[0]
    others = [o for o in range(5) if o not in (none, skip)]
    alive = space.fingerprints(cells, edges, skip, none) != 0
    means = []
    for o in others:
        only = alive & np.isin(cells, (o, skip, none)).all(1) & (cells == o).any(1)
        means.append(float(accuracy[only].mean()))
    names = dict(
        zip((others[i] for i in np.argsort(means)), ("avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3"), strict=True)
    )
    names |= {none: "none", skip: "skip_connect"}
    return Numbering(tuple(names[o] for o in range(5)), edges, within, found[1][0])


def _within(cells: np.ndarray, accuracy: np.ndarray, edges: tuple[tuple[int, int], ...], skip: int, none: int) -> float:
    """Variance within classes of several living cells, over the variance of all living ones."""
    marks = space.fingerprints(cells, edges, skip, none)
    alive = marks != 0
    values = accuracy[alive]
    _, place, count = np.unique(marks[alive], return_inverse=True, return_counts=True)
    squares = np.bincount(place, (values - (np.bincount(place, values) / count)[place]) ** 2)
    freedom = (count - 1).sum()
    return float(squares.sum() / max(freedom, 1) / values.var())


if __name__ == "__main__":
    from edgerl.tasks.latent_nas.cells.table import read_csv

    table = read_csv(sys.argv[1])
    print(derive(table.cells, table.metrics["baseline_accuracy"]))
