"""State dictionaries as `torch.save` writes them, read without PyTorch.

The file is a zip archive: `NAME/data.pkl`, a pickle that says which tensor lies where, and the numbers of each storage
in `NAME/data/KEY`. See `pickles` for how that pickle is read.
"""

import math
from typing import Any, Literal

import numpy as np

from edgerl.tasks.imports import pickles
from edgerl.tasks.imports.pickles import Call, Elsewhere, Name, PickleError
from edgerl.tasks.imports.reading import MOST_BYTES, Archive
from edgerl.util.errors import UserError

_BRAIN = "brain"  # bfloat16: the upper half of a float32
_STORAGES = {
    **{"torch.DoubleStorage": "f8", "torch.FloatStorage": "f4", "torch.HalfStorage": "f2"},
    **{"torch.BFloat16Storage": _BRAIN, "torch.LongStorage": "i8", "torch.IntStorage": "i4"},
    **{"torch.ShortStorage": "i2", "torch.CharStorage": "i1", "torch.ByteStorage": "u1", "torch.BoolStorage": "?"},
}
_TENSOR, _PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
_KNOWN = {*_STORAGES, _TENSOR, _PARAMETER, "collections.OrderedDict"}
_INDEX = "/data.pkl"


def is_torch(names: frozenset[str]) -> bool:
    """Whether a zip archive with these members is PyTorch's."""
    return any(name.endswith(_INDEX) for name in names)


def read(data: bytes, where: str) -> dict[str, np.ndarray]:
    """Name → tensor, in the file's order.

    Args:
      where: the file's name in an error.
    Raises:
      UserError: no state dictionary, damaged, or larger than a policy.
    """
    if not data.startswith(b"PK"):
        raise UserError(f"{where} is not of PyTorch 1.6 or later, which write a zip archive: save it again with one")
    archive = Archive(data, where)
    indices = [name for name in archive.names if name.endswith(_INDEX) and name.count("/") == 1]
    if len(indices) != 1:
        raise UserError(f"{where} is no file of torch.save: expected one member NAME{_INDEX}, found {len(indices)}")
    try:
        return _Tensors(archive, indices[0].removesuffix(_INDEX)).all()
    except PickleError as error:
        raise UserError(
            f"{where} is no state dictionary: {error}; save one with torch.save(model.state_dict(), …)"
        ) from error


class _Tensors:
    """The tensors of one archive; each storage is read once."""

    def __init__(self, archive: Archive, folder: str) -> None:
        self._archive, self._folder = archive, folder
        self._storages: dict[str, np.ndarray] = {}
        self._left = MOST_BYTES
        named = f"{folder}/byteorder"
        order = archive.read(named) if named in archive.names else b"little"
        if order not in (b"little", b"big"):
            raise PickleError("its byte order is neither little nor big")
        self._order: Literal["<", ">"] = "<" if order == b"little" else ">"

    def all(self) -> dict[str, np.ndarray]:
        found = pickles.read(self._archive.read(f"{self._folder}{_INDEX}"), _KNOWN.__contains__)
        if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
            raise PickleError("it holds something else than tensors by their names")
        return {name: self._tensor(value, name) for name, value in found.items()}

    def _tensor(self, value: Any, name: str) -> np.ndarray:
        if isinstance(value, Call) and value.name == _PARAMETER and value.arguments:
            value = value.arguments[0]
        if not isinstance(value, Call) or value.name != _TENSOR or len(value.arguments) < 4:
            raise PickleError(f"{name[:100]} is no tensor")
        where, offset, shape, strides = value.arguments[:4]
        storage = self._storage(where, name)
        if not (_whole((offset,)) and _whole(shape) and _whole(strides) and len(shape) == len(strides)):
            raise PickleError(f"{name[:100]} has no shape")
        self._left -= math.prod(shape) * storage.itemsize
        if self._left < 0:
            raise PickleError("its tensors are larger than a policy's")
        last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        # As many elements as there are numbers at most: with strides of 0 a small file would become a huge tensor.
        if math.prod(shape) > len(storage) or (0 not in shape and last >= len(storage)):
            raise PickleError(f"{name[:100]} is larger than what is stored of it")
        if 0 in shape:
            return np.zeros(shape, storage.dtype)
        step = storage.itemsize
        view = np.lib.stride_tricks.as_strided(storage[offset:], shape, [step * n for n in strides], writeable=False)
        return np.array(view, order="C")

    def _storage(self, where: Any, name: str) -> np.ndarray:
        place = where.where if isinstance(where, Elsewhere) else None
        if not isinstance(place, tuple) or len(place) != 5 or place[0] != "storage":
            raise PickleError(f"{name[:100]} has no storage")
        _, kind, key, _, count = place
        if not isinstance(kind, Name) or kind.path not in _STORAGES or not isinstance(key, str):
            raise PickleError(f"{name[:100]} has a storage of another kind")
        if key not in self._storages:
            self._storages[key] = self._numbers(self._archive.read(f"{self._folder}/data/{key}"), _STORAGES[kind.path])
        if len(self._storages[key]) != count:
            raise PickleError(f"{name[:100]} has {len(self._storages[key])} numbers stored, and should have {count}")
        return self._storages[key]

    def _numbers(self, data: bytes, code: str) -> np.ndarray:
        dtype = np.dtype("u2" if code == _BRAIN else code).newbyteorder(self._order)
        if len(data) % dtype.itemsize:
            raise PickleError("a storage ends in the middle of a number")
        numbers = np.frombuffer(data, dtype)
        return (numbers.astype(np.uint32) << 16).view(np.float32) if code == _BRAIN else numbers


def _whole(numbers: Any) -> bool:
    """Whether these are whole numbers, not below 0 and no larger than any file, as many as a shape may have."""
    some = isinstance(numbers, tuple) and len(numbers) <= 8
    return some and all(type(n) is int and 0 <= n < 2**40 for n in numbers)
