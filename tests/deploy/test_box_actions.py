"""int8 outputs as a box's actions: every value, the ends, and what float32 cannot tell apart."""

import jax
import numpy as np
import pytest

from edgerl import Box, UserError
from edgerl.deploy import box_actions

ALL = np.arange(-128, 128).astype(np.int8)
SIDES = [(-2.0, 2.0), (-1.0, 1.0), (0.0, 0.3), (-0.1, 7.0), (1000.0, 1001.0), (-5.0, -4.99), (0.0, 3e38), (-3e38, 3e38)]


@pytest.mark.parametrize(("low", "high"), SIDES)
def test_every_output(low, high):
    space = Box(low, high, (1,))
    found = np.asarray(jax.jit(lambda x: box_actions.units(space)(x))(ALL[:, None]))[:, 0].astype(np.float64)
    low, high = (float(bound[0]) for bound in space.bounds())
    width = high - low
    expected = low + (ALL.astype(np.float64) + 128) / 256 * width
    resolution = max(abs(low), abs(high)) / 2**23
    assert np.abs(found - expected).max() <= 256 * resolution
    assert low <= found[0] <= low + resolution
    assert (np.diff(found) == found[1] - found[0]).all()  # steps of one size: nothing was rounded
    assert high - width / 128 - 256 * resolution <= found[-1] <= high
    assert all(space.contains(np.float32([x])) for x in found)


def test_the_middle_of_a_symmetric_box_is_0():
    for side in (1.0, 2.0, 0.7, 123.4):
        middle = box_actions.units(Box(-side, side, (1,)))(np.int8([0]))
        assert abs(float(middle[0])) <= side / 2**16


def test_q15():
    np.testing.assert_array_equal(box_actions.q15(ALL), np.arange(-32768, 32768, 256))
    assert box_actions.q15(ALL).dtype == np.int16


def test_numbers_have_their_own_sides():
    space = Box(np.array([[-2.0, 0.0]]), np.array([[2.0, 256.0]]), (1, 2))
    np.testing.assert_array_equal(
        box_actions.units(space)(np.int8([[-128, -128], [0, 0], [127, 127]])), [[-2, 0], [0, 128], [1.984375, 255]]
    )


def test_a_number_that_cannot_change():
    assert float(box_actions.units(Box(0.5, 0.5, (1,)))(np.int8([77]))[0]) == 0.5
    assert float(box_actions.units(Box(0.0, 0.0, (1,)))(np.int8([77]))[0]) == 0.0


@pytest.mark.parametrize(("low", "high"), [(1e6, 1e6 + 1), (0.0, 1e-38)])
def test_sides_that_float32_cannot_divide(low, high):
    with pytest.raises(UserError, match=r"action 1 lies between.*cannot divide into 256 steps.*from -1 to 1"):
        box_actions.units(Box((0.0, low), (1.0, high), (2,)))
