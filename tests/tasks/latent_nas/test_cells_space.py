"""NAS-Bench-201's cells: what computes the same, counts, and the numbers of the operations found from data."""

import cells as made_up
import numpy as np
import pytest

from edgerl.tasks.latent_nas.cells import space
from edgerl.tasks.latent_nas.cells.numbering import derive

SKIP, NONE, CONV3, CONV1, POOL = range(5)


def same(first, second):
    marks = space.fingerprints(np.array([first, second]))
    return bool(marks[0] == marks[1])


# Edges: 0-1, 0-2, 0-3, 1-2, 1-3, 2-3.
@pytest.mark.parametrize(
    ("first", "second"),
    [
        # One convolution, by node 1 and by node 2.
        ((CONV3, NONE, NONE, NONE, SKIP, NONE), (NONE, CONV3, NONE, NONE, NONE, SKIP)),
        # The same directly, and as the last of skips.
        ((NONE, NONE, CONV3, NONE, NONE, NONE), (SKIP, NONE, NONE, SKIP, NONE, CONV3)),
        # What does not reach the output is no matter.
        ((CONV1, POOL, CONV3, NONE, NONE, NONE), (NONE, NONE, CONV3, NONE, NONE, NONE)),
        # What has no input, neither: node 1 is empty.
        ((NONE, NONE, CONV3, CONV1, CONV3, NONE), (NONE, NONE, CONV3, NONE, NONE, NONE)),
        # x + 3x3(x): the sum in node 2 handed on by a skip, and made in the output.
        ((NONE, SKIP, CONV3, NONE, NONE, SKIP), (CONV3, NONE, SKIP, NONE, SKIP, NONE)),
        # A sum of sums is a sum: (x + 3x3(x)) + 1x1(x).
        ((SKIP, CONV3, CONV1, SKIP, NONE, SKIP), (CONV1, CONV3, SKIP, NONE, SKIP, SKIP)),
    ],
)
def test_cells_that_compute_the_same(first, second):
    assert same(first, second)
    of_cell, representatives = space.classes()
    places = space.numbers(np.array([first, second]))
    assert of_cell[places[0]] == of_cell[places[1]]
    assert same(first, space.all_cells()[representatives[of_cell[places[0]]]])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # 3x3 after 1x1 is not 1x1 after 3x3.
        ((CONV3, NONE, NONE, NONE, CONV1, NONE), (CONV1, NONE, NONE, NONE, CONV3, NONE)),
        # x + x is not x.
        ((SKIP, NONE, SKIP, NONE, SKIP, NONE), (NONE, NONE, SKIP, NONE, NONE, NONE)),
        # 3x3(x + x) is not 3x3(x) + 3x3(x): other weights.
        ((SKIP, SKIP, NONE, SKIP, NONE, CONV3), (CONV3, NONE, CONV3, NONE, SKIP, NONE)),
        # Nothing is not the input.
        ((NONE,) * 6, (NONE, NONE, SKIP, NONE, NONE, NONE)),
    ],
)
def test_cells_that_do_not(first, second):
    assert not same(first, second)


def test_classes_cover_all_cells_and_their_representatives_waste_no_edge():
    of_cell, representatives = space.classes()
    assert len(of_cell) == 15625
    assert of_cell[representatives].tolist() == list(range(of_cell.max() + 1))
    dead = space.fingerprints(space.all_cells()) == 0
    assert len(np.unique(of_cell[dead])) == 1
    np.testing.assert_array_equal(dead, ~space.used(space.all_cells()).any(1))


def test_counts_are_those_that_the_benchmark_publishes():
    """1.531546 M parameters and 220.12 M operations for 3x3 everywhere, .073306 M and 7.78 M without any."""
    cells = np.array([[CONV3] * 6, [NONE] * 6, [SKIP] * 6, [POOL] * 6, [CONV1] + [NONE] * 5])
    assert space.parameter_count(cells)[:4].tolist() == [1531546, 73306, 73306, 73306]
    assert space.mac_count(cells)[:4].tolist() == [220119680, 7783040, 7783040, 7783040]
    # A 1x1 on one edge: C^2 weights and 2 C of its normalisation, in five cells of 16, 32 and 64 channels.
    assert space.parameter_count(cells[4]) - 73306 == 5 * (256 + 32 + 1024 + 64 + 4096 + 128)
    assert space.mac_count(cells[4]) - 7783040 == 5 * 3 * 256 * 1024


def test_a_cell_as_the_benchmark_writes_it():
    text = space.as_text(np.array([CONV3, SKIP, NONE, CONV1, POOL, CONV3]))
    assert text == "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"


def test_features_by_hand():
    """x + 1x1(3x3(x)): two ways, of no and of two operations."""
    found = space.features(np.array([[CONV3, NONE, SKIP, NONE, CONV1, NONE]]))[0]
    mass, lengths, ways, first, last, counts = np.split(found, [3, 7, 8, 11, 14])
    assert mass.tolist() == [1, 1, 0]
    assert lengths.tolist() == [1, 0, 1, 0]
    assert ways.tolist() == [2]
    assert first.tolist() == [1, 0, 0]
    assert last.tolist() == [0, 1, 0]
    assert counts.tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("operations", "columns"),
    [
        (("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"), (0, 1, 2, 3, 4, 5)),
        (("avg_pool_3x3", "nor_conv_3x3", "none", "skip_connect", "nor_conv_1x1"), (5, 0, 3, 2, 1, 4)),
    ],
)
def test_the_numbering_is_found_from_a_small_table(operations, columns):
    rng = np.random.default_rng(0)
    rows = np.unique(
        np.concatenate(
            [rng.choice(15625, 1500, replace=False), space.numbers(np.full((5, 6), 1) * np.arange(5)[:, None])]
        )
    )
    cells, accuracy = space.all_cells()[rows], made_up.accuracy(noise=0.1)[rows]
    numbers = np.array([operations.index(name) for name in space.OPERATIONS])
    found = derive(numbers[cells][:, columns], accuracy)
    assert found.operations == operations
    assert found.edges == tuple(space.EDGES[c] for c in columns)
    assert found.within < 0.5 * found.next_best
