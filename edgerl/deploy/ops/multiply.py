"""The product of two tensors of one shape, number by number (TFLite: MUL)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import chex
import jax
import jax.numpy as jnp
from flax import struct

from edgerl.deploy.ops.moving import OfMemory
from edgerl.deploy.ops.output import Output, output
from edgerl.deploy.tensor import Tensor
from edgerl.deploy.tflite_writer import FUSED, Writer


@struct.dataclass
class IntegerMultiply:
    """A product in integers, of what has the zero points int32 []."""

    zeros: tuple[chex.Array, chex.Array]
    out: Output

    @jax.jit
    def __call__(self, a: chex.Array, b: chex.Array) -> chex.Array:
        """int8 product of two int8 arrays of one shape."""
        return self.out((a.astype(jnp.int32) - self.zeros[0]) * (b.astype(jnp.int32) - self.zeros[1]))


@dataclasses.dataclass(frozen=True)
class Multiply(OfMemory):
    """A product."""

    CODE: ClassVar = (18, 2)
    RESOLVER: ClassVar = "AddMul"
    ARITY: ClassVar = 2

    def shape(self, *read: tuple[int, ...]) -> tuple[int, ...]:
        if read[0] != read[1]:
            raise ValueError(f"the product of shapes {' and '.join(map(str, read))}")
        return read[0]

    def real(self, *read: chex.Array) -> chex.Array:
        return read[0] * read[1]

    def integers(self, read: Sequence[Tensor], made: Tensor) -> IntegerMultiply:
        scale = float(read[0].q.scale) * float(read[1].q.scale)
        first, second = (jnp.int32(tensor.q.zero_point) for tensor in read)
        return IntegerMultiply((first, second), output(scale, made.q))

    def write(self, writer: Writer, read: Sequence[tuple[Tensor, int]], made: tuple[Tensor, int]) -> None:
        options = writer.table("MulOptions", FusedActivationFunction=FUSED["none"])
        writer.operator(self.CODE, [number for _, number in read], made[1], ("MulOptions", options))

    @classmethod
    def load(cls, sources: tuple[int, ...], target: int, row: tuple[int, int], arrays: Mapping[str, Any]) -> Self:
        return cls(sources, target)
