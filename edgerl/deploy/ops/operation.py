"""What every operator of an int8 network has: its shape, its arithmetic, its TFLite form and its C.

An operator is one file of this package. All that it needs is abstract here, so that nothing can be left out, and
`edgerl.deploy.ops.OPERATORS` lists it, so that files and generators know it.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import chex
import numpy as np

from edgerl.deploy.tensor import Quantisation, Tensor, affine
from edgerl.deploy.tflite_writer import Writer

Integers = Callable[..., chex.Array]
"""A pytree that computes int8 of int8: an operation in the device's integers."""


@dataclasses.dataclass(frozen=True)
class Placed:
    """A tensor, and where in the C's arena it lies."""

    tensor: Tensor
    offset: int


@dataclasses.dataclass(frozen=True)
class Operation(ABC):
    """One operation of a graph.

    Attributes:
      sources: the numbers of the tensors that it reads.
      target: the number of the tensor that it writes.
    """

    sources: tuple[int, ...]
    target: int

    CODE: ClassVar[tuple[int, int]]  # TFLite's kind (BuiltinOperator), and its version for int8
    RESOLVER: ClassVar[str]  # how TFLM's resolver registers it
    STRUCT: ClassVar[str]  # the name of its struct and its function in C
    C: ClassVar[str]  # that struct and that function
    ARITY: ClassVar[int] = 1  # how many tensors it reads
    SCALE: ClassVar[Quantisation | None] = None  # its target's, where TFLite's specification fixes it

    @abstractmethod
    def shape(self, *read: tuple[int, ...]) -> tuple[int, ...]:
        """The target's shape, given the sources'; `ValueError` where they do not fit."""

    @abstractmethod
    def real(self, *read: chex.Array) -> chex.Array:
        """float32 [B, …] of float32 sources [B, …]."""

    @abstractmethod
    def integers(self, read: Sequence[Tensor], made: Tensor) -> Integers:
        """The operation in the device's integers, bit for bit as TFLM has it.

        Raises:
          UserError: sums could leave the range in which every implementation agrees.
        """

    @abstractmethod
    def write(self, writer: Writer, read: Sequence[tuple[Tensor, int]], made: tuple[Tensor, int]) -> None:
        """Adds the operator to a `.tflite`; each tensor comes with its number there."""

    @abstractmethod
    def constants(self, index: int, read: Sequence[Placed], made: Placed) -> Iterator[str]:
        """C definitions; the last one is `static const struct STRUCT STRUCT_INDEX`."""

    def spare(self) -> int:
        """Bytes behind its target that its C overwrites."""
        return 0

    def quantised(self, read: Sequence[Tensor], per_channel: bool) -> Self:
        """The same with weights in int8, where it has weights."""
        del read, per_channel
        return self

    def quantisation(self, low: float, high: float) -> Quantisation:
        """The target's, whose values lie in [low, high]."""
        return self.SCALE or affine(low, high)

    def macs(self, made: Tensor) -> int:
        """Multiply-accumulates of one input."""
        del made
        return 0

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file keeps of an int8 operation besides its row of numbers: name → array."""
        return {}

    def row(self) -> tuple[int, int]:
        """Two numbers of its own that a file keeps."""
        return 0, 0

    @classmethod
    @abstractmethod
    def load(cls, sources: tuple[int, ...], target: int, row: tuple[int, int], arrays: Mapping[str, Any]) -> Self:
        """The inverse of `row` and `arrays`; `ValueError` where something is missing or absurd."""
