"""Parts of a vector, and vectors one behind the other, as they are (TFLite: SLICE, CONCATENATION)."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NoReturn, Self

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.deploy.ops.operation import Operation, Placed
from edgerl.deploy.tensor import Tensor
from edgerl.deploy.tflite_writer import Writer
from edgerl.util.errors import UserError


@dataclasses.dataclass(frozen=True)
class OfMemory(Operation):
    """An operation of policies with memory alone, whose C is `c_gru`'s."""

    STRUCT: ClassVar = "none"
    C: ClassVar = ""

    def constants(self, index: int, read: Sequence[Placed], made: Placed) -> Iterator[str]:
        _refuse(f"operation {index}, {type(self).__name__.lower()}, has no C of its own")
        yield ""


def _refuse(why: str) -> NoReturn:
    raise UserError(why)


def same_scale(read: Sequence[Tensor], made: Tensor) -> None:
    """Raises a `UserError` unless what is read and written has one scale: TFLM copies the integers."""
    if any(tensor.q != made.q for tensor in read):
        _refuse("it joins or divides tensors whose scales differ")


@struct.dataclass
class IntegerSlice:
    """Numbers [..., start : start + size]."""

    start: int = struct.field(pytree_node=False)
    size: int = struct.field(pytree_node=False)

    def __call__(self, x: chex.Array) -> chex.Array:
        return x[..., self.start : self.start + self.size]


@dataclasses.dataclass(frozen=True)
class Slice(OfMemory):
    """`size` numbers of a vector, from `start` on."""

    start: int = 0
    size: int = 1

    CODE: ClassVar = (65, 2)
    RESOLVER: ClassVar = "AddSlice"

    def shape(self, *read: tuple[int, ...]) -> tuple[int, ...]:
        if len(read[0]) != 1 or self.start < 0 or self.size < 1 or self.start + self.size > read[0][0]:
            raise ValueError(f"numbers {self.start} to {self.start + self.size} of shape {read[0]}")
        return (self.size,)

    def real(self, *read: chex.Array) -> chex.Array:
        return IntegerSlice(self.start, self.size)(read[0])

    def integers(self, read: Sequence[Tensor], made: Tensor) -> IntegerSlice:
        same_scale(read, made)
        return IntegerSlice(self.start, self.size)

    def write(self, writer: Writer, read: Sequence[tuple[Tensor, int]], made: tuple[Tensor, int]) -> None:
        begin, size = (writer.constant(np.array(pair, np.int32)) for pair in ((0, self.start), (1, self.size)))
        writer.operator(self.CODE, [read[0][1], begin, size], made[1], ("SliceOptions", writer.table("SliceOptions")))

    def row(self) -> tuple[int, int]:
        return self.start, self.size

    @classmethod
    def load(cls, sources: tuple[int, ...], target: int, row: tuple[int, int], arrays: Mapping[str, Any]) -> Self:
        return cls(sources, target, *row)


@struct.dataclass
class IntegerConcatenation:
    """One vector behind the other along the last axis."""

    def __call__(self, a: chex.Array, b: chex.Array) -> chex.Array:
        return jnp.concatenate([a, b], axis=-1)


@dataclasses.dataclass(frozen=True)
class Concatenation(OfMemory):
    """One vector behind the other."""

    CODE: ClassVar = (2, 2)
    RESOLVER: ClassVar = "AddConcatenation"
    ARITY: ClassVar = 2

    def shape(self, *read: tuple[int, ...]) -> tuple[int, ...]:
        if len(read[0]) != 1 or len(read[1]) != 1:
            raise ValueError(f"vectors of shapes {read[0]} and {read[1]}")
        return (read[0][0] + read[1][0],)

    def real(self, *read: chex.Array) -> chex.Array:
        return jnp.concatenate(read, axis=-1)

    def integers(self, read: Sequence[Tensor], made: Tensor) -> IntegerConcatenation:
        same_scale(read, made)
        return IntegerConcatenation()

    def write(self, writer: Writer, read: Sequence[tuple[Tensor, int]], made: tuple[Tensor, int]) -> None:
        options = writer.table("ConcatenationOptions", Axis=1)
        writer.operator(self.CODE, [number for _, number in read], made[1], ("ConcatenationOptions", options))

    @classmethod
    def load(cls, sources: tuple[int, ...], target: int, row: tuple[int, int], arrays: Mapping[str, Any]) -> Self:
        return cls(sources, target)
