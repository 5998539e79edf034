"""Tanh and the logistic function, as tables of 256 entries (TFLite: TANH, LOGISTIC)."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.deploy import c_text
from edgerl.deploy.fixed_functions import Table, activation_table
from edgerl.deploy.ops.operation import Operation, Placed
from edgerl.deploy.tensor import Quantisation, Tensor
from edgerl.deploy.tflite_writer import Writer


@struct.dataclass
class IntegerLookup:
    """A function of int8 as a table int8 [256], for -128 … 127."""

    table: chex.Array

    @jax.jit
    def __call__(self, x: chex.Array) -> chex.Array:
        """int8 of int8 x."""
        return self.table[x.astype(jnp.int32) + 128]


@dataclasses.dataclass(frozen=True)
class _Lookup(Operation):
    """A function of each number."""

    FUNCTION: ClassVar[Table]
    STRUCT: ClassVar = "lookup"

    def shape(self, *read: tuple[int, ...]) -> tuple[int, ...]:
        return read[0]

    def integers(self, read: Sequence[Tensor], made: Tensor) -> IntegerLookup:
        return IntegerLookup(jnp.asarray(activation_table(self.FUNCTION, float(read[0].q.scale), read[0].q.zero_point)))

    def write(self, writer: Writer, read: Sequence[tuple[Tensor, int]], made: tuple[Tensor, int]) -> None:
        writer.operator(self.CODE, [read[0][1]], made[1])

    def constants(self, index: int, read: Sequence[Placed], made: Placed) -> Iterator[str]:
        yield c_text.array(f"int8_t table_{index}[256]", self.integers([read[0].tensor], made.tensor).table)
        fields = [f"table_{index}", read[0].offset, made.offset, math.prod(made.tensor.shape)]
        yield c_text.struct(self.STRUCT, index, fields)

    C: ClassVar = """\
struct lookup {
    const int8_t *table;
    int32_t source;
    int32_t target;
    int32_t count;
};

FAST static void lookup(const struct lookup *l)
{
    int i;
    for (i = 0; i < l->count; i++) {
        arena[l->target + i] = l->table[arena[l->source + i] + 128];
    }
}"""

    @classmethod
    def load(cls, sources: tuple[int, ...], target: int, row: tuple[int, int], arrays: Mapping[str, Any]) -> Self:
        return cls(sources, target)


@dataclasses.dataclass(frozen=True)
class Tanh(_Lookup):
    """The hyperbolic tangent; its output has the scale 1/128."""

    FUNCTION: ClassVar = "tanh"
    SCALE: ClassVar = Quantisation(np.float32(1 / 128), 0)
    CODE: ClassVar = (28, 2)
    RESOLVER: ClassVar = "AddTanh"

    def real(self, *read: chex.Array) -> chex.Array:
        return jnp.tanh(read[0])


@dataclasses.dataclass(frozen=True)
class Sigmoid(_Lookup):
    """1 / (1 + exp(-x)); its output has the scale 1/256."""

    FUNCTION: ClassVar = "sigmoid"
    SCALE: ClassVar = Quantisation(np.float32(1 / 256), -128)
    CODE: ClassVar = (14, 2)
    RESOLVER: ClassVar = "AddLogistic"

    def real(self, *read: chex.Array) -> chex.Array:
        return jax.nn.sigmoid(read[0])
