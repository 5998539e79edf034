"""The sum of two tensors of one shape, each with a scale of its own, then ReLU or ReLU6 if asked (TFLite: ADD); and
their difference (TFLite: SUB).
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import chex
import jax
import jax.numpy as jnp
from flax import struct

from edgerl.deploy import c_text, integer
from edgerl.deploy.ops import arrays as stored
from edgerl.deploy.ops.dense import FUSED_NAMES, RELUS
from edgerl.deploy.ops.operation import Operation, Placed
from edgerl.deploy.ops.output import Output, output
from edgerl.deploy.tensor import Fused, Tensor, quantise_multiplier
from edgerl.deploy.tflite_writer import FUSED, Writer
from edgerl.util.errors import UserError

_SHIFT = 20  # TFLM scales both summands up by 2^20 before it rounds them


@struct.dataclass
class Summand:
    """One side of an addition: its zero point, and what brings both sides to one scale. All int32 []."""

    multiplier: chex.Array
    shift: chex.Array
    zero: chex.Array

    def __call__(self, x: chex.Array) -> chex.Array:
        """int32 of int8 x."""
        return integer.requantise((x.astype(jnp.int32) - self.zero) << _SHIFT, self.multiplier, self.shift)


@struct.dataclass
class IntegerAdd:
    """An addition in integers, or a subtraction: `sign` 1 or -1, of the second."""

    first: Summand
    second: Summand
    out: Output
    sign: int = struct.field(pytree_node=False, default=1)

    @jax.jit
    def __call__(self, a: chex.Array, b: chex.Array) -> chex.Array:
        """int8 sum of two int8 arrays of one shape."""
        return self.out(self.first(a) + self.sign * self.second(b))


@dataclasses.dataclass(frozen=True)
class Add(Operation):
    """An addition."""

    activation: Fused = "none"

    CODE: ClassVar = (0, 2)
    RESOLVER: ClassVar = "AddAdd"
    STRUCT: ClassVar = "sum"
    ARITY: ClassVar = 2
    OPTIONS: ClassVar = "AddOptions"
    SIGN: ClassVar = 1

    def shape(self, *read: tuple[int, ...]) -> tuple[int, ...]:
        if read[0] != read[1]:
            raise ValueError(f"the sum of shapes {' and '.join(map(str, read))}")
        return read[0]

    def real(self, *read: chex.Array) -> chex.Array:
        return RELUS[self.activation](read[0] + self.SIGN * read[1])

    def integers(self, read: Sequence[Tensor], made: Tensor) -> IntegerAdd:
        twice = 2 * max(float(tensor.q.scale) for tensor in read)
        sides = []
        for tensor in read:
            multiplier, shift = quantise_multiplier(float(tensor.q.scale) / twice)
            sides.append(Summand(jnp.int32(multiplier), jnp.int32(shift), jnp.int32(tensor.q.zero_point)))
        return IntegerAdd(sides[0], sides[1], output(twice / 2**_SHIFT, made.q, self.activation), self.SIGN)

    def write(self, writer: Writer, read: Sequence[tuple[Tensor, int]], made: tuple[Tensor, int]) -> None:
        options = writer.table(self.OPTIONS, FusedActivationFunction=FUSED[self.activation])
        writer.operator(self.CODE, [number for _, number in read], made[1], (self.OPTIONS, options))

    def constants(self, index: int, read: Sequence[Placed], made: Placed) -> Iterator[str]:
        """The side of the larger scale comes first: its multiplier is 1/2, exactly."""
        sides = sorted(read, key=lambda placed: -float(placed.tensor.q.scale))
        integers = self.integers([placed.tensor for placed in sides], made.tensor)
        assert (int(integers.first.multiplier), int(integers.first.shift)) == (2**30, 0)
        places = [number for side in sides for number in (side.offset, side.tensor.q.zero_point)]
        out = integers.out
        numbers = [made.offset, math.prod(made.tensor.shape), int(out.zero), int(out.low), int(out.high)]
        scalings = [c_text.scaling(int(one.multiplier), int(one.shift)) for one in (integers.second, out)]
        yield c_text.struct(self.STRUCT, index, [*places, *numbers, *scalings])

    C: ClassVar = """\
struct sum {
    int32_t larger; /* the side of the larger scale, in the arena, as all that follow */
    int32_t larger_zero;
    int32_t smaller;
    int32_t smaller_zero;
    int32_t target;
    int32_t count;
    int16_t zero;
    int16_t low;
    int16_t high;
    struct scaling smaller_scaling;
    struct scaling scaling;
};

FAST static void sum(const struct sum *s)
{
    const struct sum c = *s; /* a value that is written into the arena could be one of *s, for all a compiler knows */
    const int8_t *a = arena + c.larger;
    const int8_t *b = arena + c.smaller;
    int8_t *y = arena + c.target;
    int8_t *const end = y + c.count;
    do {
        const int32_t first = (*a++ - c.larger_zero) * 524288;
        const int32_t second = scaled((*b++ - c.smaller_zero) * 1048576, c.smaller_scaling);
        const int32_t z = scaled(first + second, c.scaling) + c.zero;
        *y++ = (int8_t)(z < c.low ? c.low : z > c.high ? c.high : z);
    } while (y != end);
}"""

    def row(self) -> tuple[int, int]:
        return FUSED_NAMES.index(self.activation), 0

    @classmethod
    def load(cls, sources: tuple[int, ...], target: int, row: tuple[int, int], arrays: Mapping[str, Any]) -> Self:
        return cls(sources, target, stored.choice(FUSED_NAMES, row[0]))


@dataclasses.dataclass(frozen=True)
class Subtract(Add):
    """The first less the second, in policies with memory, whose C is `c_gru`'s."""

    CODE: ClassVar = (41, 2)
    RESOLVER: ClassVar = "AddSub"
    OPTIONS: ClassVar = "SubOptions"
    SIGN: ClassVar = -1

    def constants(self, index: int, read: Sequence[Placed], made: Placed) -> Iterator[str]:
        raise UserError(f"operation {index}, subtract, has no C of its own")
        yield ""
