"""The cells of NAS-Bench-201: four nodes, six edges, an operation on each edge; 5^6 = 15,625 cells.

A node adds what its edges bring; node 0 is the cell's input, node 3 its output. `none` brings nothing, `skip_connect`
brings its node unchanged: many cells therefore compute the same, and are called isomorphic here. A class is all cells
that compute the same; sums are flattened, edges without a way from the input or to the output do not count. (The
paper's 6,466 classes keep a sum with nothing apart from the sum without it.)

The network around the cell: a convolution of 3 to 16 channels, five cells, a residual block to 32 channels, five cells,
a residual block to 64, five cells, pooling, a linear layer of 10 classes. Parameters and multiply-accumulate
operations are counted from it, operations without effect included, as the benchmark does.

Source: Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", 2020.
"""

import functools
import itertools
from typing import Any

import numpy as np

# By the table's numbers, see `numbering`.
OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
SKIP, NONE = OPERATIONS.index("skip_connect"), OPERATIONS.index("none")
EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))  # (from, to), in the order of the table's columns
GENES = tuple(f"edge_{i}" for i in range(len(EDGES)))
WORKING = tuple(i for i in range(len(OPERATIONS)) if i not in (SKIP, NONE))  # operations that change what they get

_OUTPUT = 3
_WAYS = ((2,), (0, 4), (1, 5), (0, 3, 5))  # the edges of every way from the input to the output
_CHANNELS, _SIDES, _CELLS = (16, 32, 64), (32, 16, 8), 5
_CLASSES = 10


def all_cells() -> np.ndarray:
    """int32 [15,625, 6], in the order of the numbers that they are to base five."""
    return np.array(list(itertools.product(range(len(OPERATIONS)), repeat=len(EDGES))), np.int32)


def numbers(cells: np.ndarray) -> np.ndarray:
    """int64 [...]: where cells [..., 6] stand in `all_cells`."""
    return np.asarray(cells, np.int64) @ len(OPERATIONS) ** np.arange(len(EDGES))[::-1]


def buildable(cells: Any) -> Any:
    """bool [...] for whole numbers [..., 6]: every edge has one of the five operations."""
    cells = np.asarray(cells)
    return ((cells >= 0) & (cells < len(OPERATIONS))).all(-1)


def fingerprints(
    cells: np.ndarray, edges: tuple[tuple[int, int], ...] = EDGES, skip: int = SKIP, none: int = NONE
) -> np.ndarray:
    """uint64 [N]: equal for cells [N, 6] that compute the same, 0 where nothing reaches the output.

    Nodes are hashed; a sum of nodes has the sum of their hashes, so that order and nesting do not matter.
    """
    nodes = [np.full(len(cells), 0x9E3779B97F4A7C15, np.uint64)] + [np.zeros(len(cells), np.uint64) for _ in range(3)]
    order = sorted(range(len(edges)), key=lambda e: edges[e])
    for e in order:  # all edges into a node come before those out of it
        source, target = edges[e]
        operation, value = cells[:, e].astype(np.uint64), nodes[source]
        brought = np.where(operation == skip, value, _mixed(value, operation))
        nodes[target] = nodes[target] + np.where((operation == none) | (value == 0), np.uint64(0), brought)
    return nodes[_OUTPUT]


def _mixed(value: np.ndarray, operation: np.ndarray) -> np.ndarray:
    """A hash of an operation on a node; the steps of SplitMix64."""
    x = value + (operation + np.uint64(1)) * np.uint64(0xD1342543DE82EF95)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@functools.cache
def classes() -> tuple[np.ndarray, np.ndarray]:
    """(class of each cell int32 [15,625], a cell of each class int32 [C]: that with the fewest edges in use)."""
    cells = all_cells()
    _, of_cell = np.unique(fingerprints(cells), return_inverse=True)
    order = np.lexsort((np.arange(len(cells)), used(cells).sum(1), of_cell))
    first = np.unique(of_cell[order], return_index=True)[1]
    return of_cell.astype(np.int32), order[first].astype(np.int32)


def used(cells: np.ndarray) -> np.ndarray:
    """bool [N, 6]: which edges of cells [N, 6] lie on a way from the input to the output."""
    there = cells != NONE
    found = np.zeros(cells.shape, bool)
    for way in _WAYS:
        found[:, way] |= there[:, way].all(1)[:, None]
    return found


def features(cells: np.ndarray) -> np.ndarray:
    """float32 [N, 18] of cells [N, 6]. Ask for the representatives of classes: cells that compute the same may differ.

    Over the ways from input to output that exist: how often each working operation is on them (3), how many ways have
    0, 1, 2, 3 working operations (4), how many ways there are (1), how many begin (3) and end (3) with each working
    operation; and how many edges in use have each operation but none (4).
    """
    mass, length, first, last = (np.zeros((len(cells), n), np.float32) for n in (3, 4, 3, 3))
    for way in _WAYS:
        on = cells[:, way]
        there = (on != NONE).all(1)
        working = on != SKIP
        for i, operation in enumerate(WORKING):
            is_it = on == operation
            mass[:, i] += there * is_it.sum(1)
            rows = np.arange(len(cells))
            first[:, i] += there & is_it[rows, working.argmax(1)]
            last[:, i] += there & is_it[rows, len(way) - 1 - working[:, ::-1].argmax(1)]
        length[np.arange(len(cells)), working.sum(1)] += there
    alive = used(cells)
    counts = [(alive & (cells == operation)).sum(1) for operation in (SKIP, *WORKING)]
    parts = [mass, length, length.sum(1, keepdims=True), first, last, np.stack(counts, 1)]
    return np.concatenate(parts, 1).astype(np.float32)


def parameter_count(cells: np.ndarray) -> np.ndarray:
    """int64 [...]: weights of the network with cells [..., 6]."""
    a, b, c = _CHANNELS
    around = 27 * a + 2 * a + 2 * c + c * _CLASSES + _CLASSES
    for before, after in ((a, b), (b, c)):
        around += 9 * before * after + 9 * after * after + 4 * after + before * after
    each = {
        "nor_conv_3x3": sum(9 * n * n + 2 * n for n in _CHANNELS),
        "nor_conv_1x1": sum(n * n + 2 * n for n in _CHANNELS),
    }
    return around + _CELLS * _summed(cells, each)


def mac_count(cells: np.ndarray) -> np.ndarray:
    """int64 [...]: multiply-accumulate operations for one 32 x 32 image of the network with cells [..., 6]."""
    (a, b, c), (full, half, quarter) = _CHANNELS, _SIDES
    around = 27 * a * full**2 + c * _CLASSES
    for before, after, side in ((a, b, half), (b, c, quarter)):
        around += (9 * before * after + 9 * after * after + before * after) * side**2
    weights = sum(n * n * side**2 for n, side in zip(_CHANNELS, _SIDES, strict=True))
    return around + _CELLS * _summed(cells, {"nor_conv_3x3": 9 * weights, "nor_conv_1x1": weights})


def _summed(cells: np.ndarray, each: dict[str, int]) -> np.ndarray:
    worth = np.array([each.get(name, 0) for name in OPERATIONS], np.int64)
    return worth[np.asarray(cells)].sum(-1)


def as_text(cell: np.ndarray) -> str:
    """A cell [6] as the benchmark writes it: the edges into node 1, 2 and 3, each with the node it comes from."""
    nodes = []
    for target in (1, 2, 3):
        into = [f"{OPERATIONS[cell[i]]}~{source}" for i, (source, to) in enumerate(EDGES) if to == target]
        nodes.append(f"|{'|'.join(into)}|")
    return "+".join(nodes)
