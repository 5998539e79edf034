"""An int8 convolutional network in a file: `.npz` of plain arrays, checked on reading so that no number is absurd."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy import integer
from edgerl.deploy.convnet import Add, Builder, Conv, ConvNet, Mean, Operation, Tensor
from edgerl.deploy.network import Quantisation
from edgerl.util import files
from edgerl.util.errors import UserError

_KINDS = (Conv, Add, Mean)  # by the number in the file
_MOST_VALUES = 2**22  # of a tensor
_MOST_STRIDE = 16


def save(path: str | Path, network: ConvNet, ends: Sequence[int]) -> None:
    """Writes `shape`, `scales`, `zero_points`, `ends`, `operations` [n, 5], and of each convolution its constants."""
    rows = [_row(operation) for operation in network.operations]
    scales = [tensor.scale for tensor in network.tensors]
    arrays: dict[str, Any] = {
        "shape": np.array(network.tensors[network.input].shape, np.int32),
        "scales": np.array([scale.scale for scale in scales], np.float32),
        "zero_points": np.array([scale.zero_point for scale in scales], np.int32),
        "ends": np.array(ends, np.int32),
        "operations": np.array(rows, np.int32),
    }
    for i, operation in enumerate(network.operations):
        if isinstance(operation, Conv):
            assert operation.weight_scales is not None  # of an int8 network
            arrays |= {
                f"weights_{i}": np.asarray(operation.weights, np.int8),
                f"bias_{i}": np.asarray(operation.bias, np.int32),
                f"weight_scales_{i}": np.asarray(operation.weight_scales, np.float32),
            }
    files.write_npz(path, arrays)


def _row(operation: Operation) -> tuple[int, int, int, int, int]:
    """(kind, first source, second source or -1, stride, ReLU); targets are numbered in order."""
    kind, second = _KINDS.index(type(operation)), operation.sources[1] if isinstance(operation, Add) else -1
    stride = operation.stride if isinstance(operation, Conv) else 1
    return kind, operation.sources[0], second, stride, int(not isinstance(operation, Mean) and operation.relu)


def load(path: str | Path) -> tuple[ConvNet, tuple[int, ...]]:
    """(network, ends) of what `save` wrote.

    Raises:
      UserError: missing, damaged, or not an int8 network whose operations fit each other.
    """
    arrays = files.read_npz(path)
    try:
        return _network(arrays)
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise UserError(f"{path} is not an int8 network ({files.first_line(error)})") from error


def _network(arrays: Mapping[str, np.ndarray]) -> tuple[ConvNet, tuple[int, ...]]:
    shape = tuple(int(n) for n in _array(arrays, "shape", np.int32, 1))
    if len(shape) != 3 or not all(0 < n <= _MOST_VALUES for n in shape) or np.prod(shape, dtype=float) > _MOST_VALUES:
        raise ValueError(f"an input of shape {shape}")
    builder = Builder(shape)
    for i, row in enumerate(_array(arrays, "operations", np.int32, 2)):
        _add(builder, arrays, i, *(int(number) for number in row))
    network, count = builder.network(), len(builder.tensors)
    scales, zeros = _array(arrays, "scales", np.float32, 1), _array(arrays, "zero_points", np.int32, 1)
    if len(scales) != count or len(zeros) != count or not _positive(scales) or (np.abs(zeros + 0.5) > 128).any():
        raise ValueError("the tensors' scales or zero points")
    tensors = tuple(
        Tensor(tensor.shape, Quantisation(np.float32(scale), int(zero)))
        for tensor, scale, zero in zip(builder.tensors, scales, zeros, strict=True)
    )
    ends = tuple(int(end) for end in _array(arrays, "ends", np.int32, 1))
    operations = tuple(_scaled(operation, arrays, i, tensors) for i, operation in enumerate(network.operations))
    if list(ends) != sorted({*ends}) or not ends or ends[0] < 1 or ends[-1] != len(operations):
        raise ValueError("the ends of its parts")
    return ConvNet(tensors, operations), ends


def _add(
    builder: Builder,
    arrays: Mapping[str, np.ndarray],
    i: int,
    kind: int,
    first: int,
    second: int,
    stride: int,
    relu: int,
) -> None:
    """One operation, whose sources must have been made before it."""
    sources = (first, second) if kind == 1 else (first,)
    shapes = [builder.tensors[source].shape for source in sources if 0 <= source < len(builder.tensors)]
    if len(shapes) != len(sources) or kind not in range(len(_KINDS)) or relu not in (0, 1):
        raise ValueError(f"operation {i}")
    if kind == 0:
        weights, bias = _array(arrays, f"weights_{i}", np.int8, 4), _array(arrays, f"bias_{i}", np.int32, 1)
        fits = weights.shape[3] == shapes[0][2] and bias.shape == weights.shape[:1] and min(weights.shape) > 0
        if not fits or not 1 <= stride <= _MOST_STRIDE:
            raise ValueError(f"the shapes of convolution {i}")
        builder.conv(first, weights, bias, stride, bool(relu))
    elif kind == 1:
        if shapes[0] != shapes[1]:
            raise ValueError(f"the shapes of addition {i}")
        builder.add(first, second, bool(relu))
    else:
        builder.mean(first)


def _scaled(operation: Operation, arrays: Mapping[str, np.ndarray], i: int, tensors: Sequence[Tensor]) -> Operation:
    if not isinstance(operation, Conv):
        return operation
    scales = _array(arrays, f"weight_scales_{i}", np.float32, 1)
    if scales.shape != operation.bias.shape or not _positive(scales):
        raise ValueError(f"the weights' scales of convolution {i}")
    zero = tensors[operation.source].scale.zero_point
    if integer.largest_accumulators(operation.weights, operation.bias, zero).max() >= integer.ACCUMULATOR_LIMIT:
        raise ValueError(f"accumulators of convolution {i}")
    return dataclasses.replace(operation, weight_scales=scales)


def _positive(scales: np.ndarray) -> bool:
    return bool((np.isfinite(scales) & (scales > 0)).all())


def _array(arrays: Mapping[str, np.ndarray], name: str, dtype: type, ndim: int) -> np.ndarray:
    if name not in arrays or arrays[name].dtype != dtype or arrays[name].ndim != ndim:
        raise ValueError(f"{name} is missing or not {np.dtype(dtype)} of rank {ndim}")
    return arrays[name]
