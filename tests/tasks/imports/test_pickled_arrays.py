"""NumPy's arrays and numbers come out of pickles as they went in."""

import pickle

import numpy as np
import pytest

from edgerl.tasks.imports import pickles
from edgerl.tasks.imports.pickled_arrays import array, number
from edgerl.tasks.imports.pickles import PickleError

ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(3, dtype=">i4"),
    np.array([True, False]),
    np.zeros((0, 4), np.float16),
    np.array(2.5),
    np.arange(24).reshape(2, 3, 4)[:, ::2],
]


def found(value, protocol=4):
    return pickles.read(pickle.dumps(value, protocol), lambda name: True)


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("value", ARRAYS, ids=str)
def test_arrays(value, protocol):
    made = array(found(value, protocol), "it")
    assert made.dtype == value.dtype
    np.testing.assert_array_equal(made, value)


@pytest.mark.parametrize("value", [np.float32(1.5), np.int64(-3), np.bool_(True), 7, 2.25, True, 2**70])
def test_numbers(value):
    assert number(found(value), "it") == float(value)


@pytest.mark.parametrize("value", [np.array(["a"]), np.array([None]), "text", None, [1.0], np.array([1 + 2j]), (1,)])
def test_what_is_no_array_of_numbers_is_refused(value):
    with pytest.raises(PickleError, match="mean is no array of numbers"):
        array(found(value), "mean")


@pytest.mark.parametrize("value", [np.zeros(2), np.zeros((1, 1)), float("nan"), np.float64("inf")])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(PickleError, match="clip_obs is no finite number"):
        number(found(value), "clip_obs")


def test_bytes_that_do_not_fit_the_shape_are_refused():
    data = pickle.dumps(np.arange(6.0), 4)
    call = found(np.arange(6.0))
    call.state = (1, (7,), *call.state[2:])
    with pytest.raises(PickleError, match=r"var has 48 bytes for shape \[7\]"):
        array(call, "var")
    call.state = (1, (2**62, 2**62), *call.state[2:])
    with pytest.raises(PickleError, match="var has 48 bytes for shape"):
        array(call, "var")
    for end in range(0, len(data), 7):
        with pytest.raises(PickleError):
            pickles.read(data[:end], lambda name: True)
