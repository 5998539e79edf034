"""A network as a list of operations on tensors, in float32 or, once quantised, in int8: a perceptron or a residual
network, one representation for its arithmetic in JAX, its `.tflite` and its C.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import chex
import numpy as np
from flax import struct

from edgerl.deploy.ops import Operation
from edgerl.deploy.ops.operation import Integers
from edgerl.deploy.tensor import Quantisation, Tensor, affine
from edgerl.util.errors import UserError


@dataclasses.dataclass(frozen=True)
class Graph:
    """Tensors and the operations on them, in order; the first one's source is the input, the last one's target the
    output."""

    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]

    @property
    def input(self) -> int:
        return self.operations[0].sources[0]

    @property
    def output(self) -> int:
        return self.operations[-1].target

    def read(self, operation: Operation) -> list[Tensor]:
        """What an operation reads."""
        return [self.tensors[source] for source in operation.sources]

    def made(self, operation: Operation) -> Tensor:
        """What an operation writes."""
        return self.tensors[operation.target]

    def parts(self, ends: tuple[int, ...]) -> list["Graph"]:
        """The networks between operations' numbers `ends`; the first one starts at operation 0."""
        bounds = itertools.pairwise((0, *ends))
        return [dataclasses.replace(self, operations=self.operations[a:b]) for a, b in bounds]

    def macs(self) -> int:
        """Multiply-accumulates of one input."""
        return sum(operation.macs(self.made(operation)) for operation in self.operations)

    def program(self) -> "Program":
        """An int8 network in the device's integers.

        Raises:
          UserError: sums could leave the range in which every implementation agrees.
        """
        steps: list[Integers] = []
        for i, operation in enumerate(self.operations):
            try:
                steps.append(operation.integers(self.read(operation), self.made(operation)))
            except UserError as error:
                raise UserError(
                    f"operation {i} ({type(operation).__name__.lower()}) is not computed: {error}"
                ) from error
        wiring = tuple((operation.sources, operation.target) for operation in self.operations)
        return Program(tuple(steps), wiring)


@struct.dataclass
class Program:
    """An int8 network in integers, a pytree: int8 [B, …] in, int8 [B, …] out, bit for bit as TFLM and the C have it.

    Attributes:
      steps: what each operation computes.
      wiring: of each operation the tensors that it reads, and the one that it writes.
    """

    steps: tuple[Integers, ...]
    wiring: tuple[tuple[tuple[int, ...], int], ...] = struct.field(pytree_node=False)

    def __call__(self, x: chex.Array) -> chex.Array:
        return self.before(x, len(self.steps))

    def before(self, x: chex.Array, stop: int) -> chex.Array:
        """What the operation before number `stop` has written; x itself for 0."""
        values: dict[int, Any] = {self.wiring[0][0][0]: x}
        last = x
        for step, (sources, target) in zip(self.steps[:stop], self.wiring, strict=False):
            last = values[target] = step(*(values[source] for source in sources))
        return last


class Builder:
    """Collects a network; each `add` returns its target's number."""

    def __init__(self, shape: Sequence[int], quantisation: Quantisation | None = None) -> None:
        self.tensors = [Tensor(tuple(shape), quantisation)]
        self.operations: list[Operation] = []

    def add(self, kind: type[Operation], *sources: int, quantisation: Quantisation | None = None, **fields: Any) -> int:
        """Adds an operation of a kind with its own fields; `quantisation` is its target's in an int8 network.

        Raises:
          ValueError: what it reads does not fit it.
        """
        operation = kind(sources, len(self.tensors), **fields)
        shape = operation.shape(*(self.tensors[source].shape for source in sources))
        return self.append(operation, Tensor(shape, quantisation))

    def append(self, operation: Operation, made: Tensor) -> int:
        """Adds an operation that writes `made`."""
        self.operations.append(operation)
        self.tensors.append(made)
        return operation.target

    def graph(self) -> Graph:
        return Graph(tuple(self.tensors), tuple(self.operations))


def values(graph: Graph, x: chex.Array) -> list[chex.Array]:
    """Every tensor of a float network on float32 x [B, …]."""
    found: dict[int, Any] = {graph.input: x}
    for operation in graph.operations:
        found[operation.target] = operation.real(*(found[source] for source in operation.sources))
    return [found[i] for i in range(len(graph.tensors))]


def ranges(graph: Graph, batches: Iterable[chex.Array]) -> np.ndarray:
    """float64 [tensors, 2]: the lowest and highest value of each tensor over batches of inputs, with 0 among them."""
    low, high = np.zeros(len(graph.tensors)), np.zeros(len(graph.tensors))
    for batch in batches:
        found = values(graph, batch)
        low = np.minimum(low, [float(value.min()) for value in found])
        high = np.maximum(high, [float(value.max()) for value in found])
    return np.stack([low, high], axis=1)


def quantise(graph: Graph, spans: np.ndarray, per_channel: bool = False) -> Graph:
    """The int8 network of a float one: activations per tensor, weights of convolutions per output channel.

    Args:
      spans: float [tensors, 2], the lowest and highest value of each tensor.
      per_channel: whether weights of dense layers have a scale for each output too.
    Raises:
      UserError: sums could leave the range in which every implementation agrees.
    """
    makers = {operation.target: operation.quantisation for operation in graph.operations}
    tensors = tuple(
        dataclasses.replace(tensor, quantisation=makers.get(i, affine)(low, high))
        for i, (tensor, (low, high)) in enumerate(zip(graph.tensors, spans.tolist(), strict=True))
    )
    scaled = dataclasses.replace(graph, tensors=tensors)
    operations = tuple(operation.quantised(scaled.read(operation), per_channel) for operation in graph.operations)
    made = dataclasses.replace(scaled, operations=operations)
    made.program()  # or the error
    return made
