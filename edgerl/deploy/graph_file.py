"""An int8 network in a file: `.npz` of plain arrays, checked on reading so that no number is absurd."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy.graph import Builder, Graph
from edgerl.deploy.ops import OPERATORS
from edgerl.deploy.ops.arrays import array, choice, positive
from edgerl.deploy.tensor import Quantisation, Tensor
from edgerl.util import files
from edgerl.util.errors import UserError

_MOST_VALUES = 2**22  # of a tensor


def save(path: str | Path, graph: Graph, **more: Any) -> None:
    """Writes `shape`, `scales`, `zero_points`, `operations` int32 [n, 5], and of each operation `NAME_i`; and `more`.

    A row of `operations` holds the operator's number, its first source, its second or -1, and two numbers of its own.
    """
    scales = [tensor.q for tensor in graph.tensors]
    arrays: dict[str, Any] = {
        "shape": np.array(graph.tensors[graph.input].shape, np.int32),
        "scales": np.array([scale.scale for scale in scales], np.float32),
        "zero_points": np.array([scale.zero_point for scale in scales], np.int32),
        "operations": np.array([_row(operation) for operation in graph.operations], np.int32),
    }
    for i, operation in enumerate(graph.operations):
        arrays |= {f"{name}_{i}": np.asarray(values) for name, values in operation.arrays().items()}
    files.write_npz(path, arrays | more)


def _row(operation: Any) -> tuple[int, ...]:
    sources = (*operation.sources, -1)[:2]
    return (OPERATORS.index(type(operation)), *sources, *operation.row())


def load(path: str | Path) -> tuple[Graph, Mapping[str, np.ndarray]]:
    """(the network, all arrays of the file) of what `save` wrote.

    Raises:
      UserError: missing, damaged, or not an int8 network whose operations fit each other.
    """
    arrays = files.read_npz(path)
    try:
        graph = _graph(arrays)
        graph.program()
        return graph, arrays
    except (UserError, ValueError, LookupError, TypeError, OverflowError) as error:
        raise UserError(f"{path} is not an int8 network ({files.first_line(error)})") from error


def _graph(arrays: Mapping[str, np.ndarray]) -> Graph:
    rows, shape = array(arrays, "operations", np.int32, 2), array(arrays, "shape", np.int32, 1)
    scales, zeros = array(arrays, "scales", np.float32, 1), array(arrays, "zero_points", np.int32, 1)
    if not len(scales) == len(zeros) == len(rows) + 1 > 1 or rows.shape[1] != 5 or not positive(scales):
        raise ValueError("the tensors' scales or zero points, or the operations")
    if len(shape) not in (1, 3) or (shape < 1).any():
        raise ValueError(f"an input of shape {shape.tolist()}")
    if not 0 < np.prod(shape, dtype=float) <= _MOST_VALUES or (np.abs(zeros + 0.5) > 128).any():
        raise ValueError(f"an input of shape {shape.tolist()}, or zero points out of range")
    quantisations = [Quantisation(np.float32(s), int(z)) for s, z in zip(scales, zeros, strict=True)]
    builder = Builder(tuple(shape.tolist()), quantisations[0])
    for i, row in enumerate(rows.tolist()):
        _add(builder, i, row, arrays, quantisations[i + 1])
        if builder.tensors[-1].size > _MOST_VALUES:
            raise ValueError(f"operation {i} writes {builder.tensors[-1].size} values")
    return builder.graph()


def _add(builder: Builder, i: int, row: list[int], arrays: Mapping[str, np.ndarray], made: Quantisation) -> None:
    """One operation, whose sources must have been made before it."""
    kind, first, second, *own = row
    sources = (first,) if second == -1 else (first, second)
    operator = choice(OPERATORS, kind)
    if len(sources) != operator.ARITY or not all(0 <= source < len(builder.tensors) for source in sources):
        raise ValueError(f"operation {i} reads what is not there")
    mine = {name.removesuffix(f"_{i}"): values for name, values in arrays.items() if name.endswith(f"_{i}")}
    target = len(builder.tensors)
    try:
        operation = operator.load(sources, target, (own[0], own[1]), mine)
        tensor = Tensor(operation.shape(*(builder.tensors[source].shape for source in sources)), made)
    except ValueError as error:
        raise ValueError(f"operation {i}: {error}") from error
    if operation.SCALE not in (None, made):
        raise ValueError(f"operation {i} has a scale that it cannot have")
    builder.append(operation, tensor)
