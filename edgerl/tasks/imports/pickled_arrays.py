"""NumPy's arrays and numbers in what `pickles.read` found."""

import math
from typing import Any

import numpy as np

from edgerl.tasks.imports.pickles import Call, PickleError

_CODES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")  # NumPy 1 and 2
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")


def array(value: Any, what: str) -> np.ndarray:
    """The array or number that a pickle has, of any kind of number.

    Args:
      what: its name in an error.
    Raises:
      PickleError: it is neither, or its bytes do not fit its shape.
    """
    if isinstance(value, int | float):
        return np.asarray(float(value) if isinstance(value, int) and abs(value) >= 2**63 else value)
    try:
        data, dtype, shape, order = _parts(value)
        if dtype.itemsize * math.prod(shape) != len(data):
            raise PickleError(f"{what} has {len(data)} bytes for shape {list(shape)}")
        return np.frombuffer(data, dtype).reshape(shape, order=order)
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise error if isinstance(error, PickleError) else PickleError(f"{what} is no array of numbers") from error


def number(value: Any, what: str) -> float:
    """A single finite number of any kind.

    Raises:
      PickleError: it is none.
    """
    found = array(value, what)
    if found.shape or not np.isfinite(found):
        raise PickleError(f"{what} is no finite number")
    return float(found)


def _parts(value: Any) -> tuple[bytes, np.dtype, tuple[int, ...], Any]:
    """(bytes, type, shape, order) of an array, in each of the ways in which NumPy pickles one."""
    if not isinstance(value, Call):
        raise TypeError
    module, _, function = value.name.rpartition(".")
    if module in _MULTIARRAY and function == "scalar":
        dtype, data = value.arguments
        return data, _dtype(dtype), (), "C"
    if module in _NUMERIC and function == "_frombuffer":
        data, dtype, shape, order = value.arguments
        return data, _dtype(dtype), _shape(shape), _order(order == "F")
    if module in _MULTIARRAY and function == "_reconstruct":
        _, shape, dtype, by_columns, data = value.state
        return data, _dtype(dtype), _shape(shape), _order(by_columns is True)
    raise TypeError


def _order(by_columns: bool) -> str:
    return "F" if by_columns else "C"


def _shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or len(shape) > 8 or not all(type(n) is int and n >= 0 for n in shape):
        raise TypeError
    return shape


def _dtype(value: Any) -> np.dtype:
    if not isinstance(value, Call) or value.name != "numpy.dtype" or value.arguments[0] not in _CODES:
        raise TypeError
    order = value.state[1] if isinstance(value.state, tuple) else "<"
    if order not in ("<", ">", "|", "="):
        raise TypeError
    return np.dtype(value.arguments[0]).newbyteorder("<" if order in "|=" else order)
