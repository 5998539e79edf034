"""The mean over all places of an image: (height, width, channels) to (1, 1, channels) (TFLite: MEAN)."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.deploy import c_text
from edgerl.deploy.ops.operation import Operation, Placed
from edgerl.deploy.ops.output import Output, output
from edgerl.deploy.tensor import Tensor
from edgerl.deploy.tflite_writer import Writer


@struct.dataclass
class IntegerMean:
    """A mean in integers: the zero point of what is read, and how the sum over all places becomes int8."""

    zero: chex.Array
    out: Output

    @jax.jit
    def __call__(self, x: chex.Array) -> chex.Array:
        """int8 [B, 1, 1, C] of int8 x [B, H, W, C]."""
        return self.out((x.astype(jnp.int32) - self.zero).sum((1, 2), keepdims=True))


@dataclasses.dataclass(frozen=True)
class Mean(Operation):
    """A mean over all places."""

    CODE: ClassVar = (40, 2)
    RESOLVER: ClassVar = "AddMean"
    STRUCT: ClassVar = "mean"

    def shape(self, *read: tuple[int, ...]) -> tuple[int, ...]:
        if len(read[0]) != 3:
            raise ValueError(f"the mean over the places of shape {read[0]}")
        return (1, 1, read[0][2])

    def real(self, *read: chex.Array) -> chex.Array:
        return read[0].mean((1, 2), keepdims=True)

    def integers(self, read: Sequence[Tensor], made: Tensor) -> IntegerMean:
        """TFLM divides the multiplier by the number of places, and rounds down."""
        places = read[0].shape[0] * read[0].shape[1]
        out = output(float(read[0].q.scale), made.q)
        shift = min(places.bit_length() - 1, 31 + int(out.shift))
        multiplier = jnp.int32((int(out.multiplier) << shift) // places)
        out = out.replace(multiplier=multiplier, shift=out.shift - shift)  # type: ignore[attr-defined]
        return IntegerMean(jnp.int32(read[0].q.zero_point), out)

    def write(self, writer: Writer, read: Sequence[tuple[Tensor, int]], made: tuple[Tensor, int]) -> None:
        axes = writer.constant(np.array([1, 2], np.int32))
        options = writer.table("ReducerOptions", KeepDims=True)
        writer.operator(self.CODE, [read[0][1], axes], made[1], ("ReducerOptions", options))

    def constants(self, index: int, read: Sequence[Placed], made: Placed) -> Iterator[str]:
        source, out = read[0].tensor, self.integers([read[0].tensor], made.tensor).out
        numbers = [source.shape[0] * source.shape[1], source.shape[2], source.q.zero_point, int(out.zero)]
        scaling = c_text.scaling(int(out.multiplier), int(out.shift))
        yield c_text.struct(self.STRUCT, index, [read[0].offset, made.offset, *numbers, scaling])

    C: ClassVar = """\
struct mean {
    int32_t source;
    int32_t target;
    int32_t places;
    int32_t channels;
    int32_t zero;
    int32_t out_zero;
    struct scaling scaling;
};

FAST static void mean(const struct mean *m)
{
    int channel;
    int i;
    for (channel = 0; channel < m->channels; channel++) {
        const int8_t *x = arena + m->source + channel;
        int32_t total = 0;
        int32_t y;
        for (i = 0; i < m->places; i++) {
            total += x[i * m->channels] - m->zero;
        }
        y = scaled(total, m->scaling) + m->out_zero;
        arena[m->target + channel] = (int8_t)(y < -128 ? -128 : y > 127 ? 127 : y);
    }
}"""

    @classmethod
    def load(cls, sources: tuple[int, ...], target: int, row: tuple[int, int], arrays: Mapping[str, Any]) -> Self:
        return cls(sources, target)
