"""Tensors in the safetensors format: the length of a JSON header, the header, the numbers.

Written against the format's description in the README of huggingface/safetensors; the library is not needed for it.
"""

import math
import struct
from typing import Any

import numpy as np

from edgerl.tasks.imports.reading import json_object
from edgerl.util.errors import UserError

_LENGTH = struct.Struct("<Q")
_BRAIN = "BF16"  # the upper half of a float32
_DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", _BRAIN: "<u2", "BOOL": "?"},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1"},
}


def is_safetensors(data: bytes) -> bool:
    """Whether a file begins as the format does."""
    return len(data) > _LENGTH.size and _LENGTH.unpack_from(data)[0] <= len(data) and data[_LENGTH.size] == ord("{")


def read(data: bytes, where: str) -> dict[str, np.ndarray]:
    """Name → tensor.

    Args:
      where: the file's name in an error.
    Raises:
      UserError: damaged, or types of numbers that NumPy has not.
    """
    (length,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size + length
    header = json_object(data[_LENGTH.size : start], f"{where}: the header")
    header.pop("__metadata__", None)
    numbers = memoryview(data)[start:]
    found, left = {}, len(numbers)
    for name, said in header.items():
        found[name] = _tensor(said, numbers, f"{where}: {name}")
        first, last = said["data_offsets"]
        left -= last - first
        if left < 0:
            raise UserError(f"{where}: its tensors overlap: it is damaged")
    return found


def _tensor(said: Any, numbers: memoryview, what: str) -> np.ndarray:
    fields: Any = said if isinstance(said, dict) else {}
    code, shape, offsets = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(code, str) or code not in _DTYPES:
        raise UserError(f"{what} holds {str(code)[:20]}; expected one of {', '.join(_DTYPES)}")
    if not (_whole(shape, 8) and _whole(offsets, 2)) or len(offsets) != 2:
        raise UserError(f"{what} has no shape or place: the file is damaged")
    dtype = np.dtype(_DTYPES[code])
    first, last = offsets
    if last > len(numbers) or last - first != dtype.itemsize * math.prod(shape):
        raise UserError(f"{what} does not lie in the file with shape {shape}: it is damaged or truncated")
    found = np.frombuffer(numbers[first:last], dtype).reshape(shape)
    return (found.astype(np.uint32) << 16).view(np.float32) if code == _BRAIN else found


def _whole(numbers: Any, most: int) -> bool:
    """Whether these are so many whole numbers at most, none below 0 or larger than any file."""
    some = isinstance(numbers, list) and len(numbers) <= most
    return some and all(type(n) is int and 0 <= n < 2**40 for n in numbers)
