"""A two-dimensional convolution, then ReLU or ReLU6 if asked (TFLite: CONV_2D).

Images are int8 [B, H, W, C]; padding is TensorFlow's "SAME" and counts as the zero point. In C, each place is a dense
layer of those inputs of its window that lie in the image.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.deploy import c_text, integer
from edgerl.deploy.c_kernels import Kernel
from edgerl.deploy.ops import arrays as stored
from edgerl.deploy.ops.dense import FUSED_NAMES, RELUS, layer, layer_kernel
from edgerl.deploy.ops.operation import Operation, Placed
from edgerl.deploy.ops.output import Output, int8_weights, weighted
from edgerl.deploy.tensor import Fused, Tensor
from edgerl.deploy.tflite_writer import FUSED, Writer

_MAX_STRIDE = 16


@struct.dataclass
class IntegerConv:
    """A convolution in integers: weights int8 [out, h, w, in], bias int32 [out], zero int32 [] of what is read."""

    weights: chex.Array
    bias: chex.Array
    zero: chex.Array
    out: Output
    stride: int = struct.field(pytree_node=False)

    @jax.jit
    def __call__(self, x: chex.Array) -> chex.Array:
        """int8 [B, H', W', out] of int8 x [B, H, W, in].

        Sums are split into parts that float32 adds exactly: float convolutions are many times faster than integer ones
        on processors.
        """
        _, height, width, channels = self.weights.shape
        parts = math.ceil(height * width * channels / integer.MAX_FLOAT_TERMS)
        size = math.ceil(channels / parts)
        centred = (x.astype(jnp.int32) - self.zero).astype(jnp.float32)
        weights = self.weights.astype(jnp.float32)
        sums = self.bias
        for i in range(0, channels, size):
            part = _convolved(centred[..., i : i + size], weights[..., i : i + size], self.stride)
            sums = sums + part.astype(jnp.int32)
        return self.out(sums)


@dataclasses.dataclass(frozen=True)
class Conv(Operation):
    """A convolution.

    Attributes:
      weights: float32 or int8 [out, h, w, in], TFLite's order.
      bias: float32, or int32 in units of the input's scale times the weights'; [out].
      weight_scales: float32 [out]; None in a float network.
    """

    weights: np.ndarray
    bias: np.ndarray
    stride: int = 1
    activation: Fused = "none"
    weight_scales: np.ndarray | None = None

    CODE: ClassVar = (3, 3)
    RESOLVER: ClassVar = "AddConv2D"
    STRUCT: ClassVar = "conv"

    @property
    def scales(self) -> np.ndarray:
        """The weights' scales in an int8 network."""
        assert self.weight_scales is not None
        return self.weight_scales

    def shape(self, *read: tuple[int, ...]) -> tuple[int, ...]:
        if len(read[0]) != 3 or read[0][2] != self.weights.shape[3]:
            raise ValueError(f"weights of shape {self.weights.shape} on an input of shape {read[0]}")
        return (-(-read[0][0] // self.stride), -(-read[0][1] // self.stride), len(self.bias))

    def real(self, *read: chex.Array) -> chex.Array:
        return RELUS[self.activation](_convolve(read[0], self.weights, self.stride) + self.bias)

    def quantised(self, read: Sequence[Tensor], per_channel: bool) -> Self:
        del per_channel  # TFLite's specification has convolutions per channel
        weights, bias, scales = int8_weights(self.weights, self.bias, read[0].q, per_channel=True)
        return dataclasses.replace(self, weights=weights, bias=bias, weight_scales=scales)

    def integers(self, read: Sequence[Tensor], made: Tensor) -> IntegerConv:
        out = weighted(self.weights, self.bias, self.scales, read[0].q, made.q, self.activation)
        zero = jnp.int32(read[0].q.zero_point)
        return IntegerConv(jnp.asarray(self.weights), jnp.asarray(self.bias), zero, out, self.stride)

    def write(self, writer: Writer, read: Sequence[tuple[Tensor, int]], made: tuple[Tensor, int]) -> None:
        (source, number), (_, target) = read[0], made
        weights = writer.constant(self.weights, self.scales)
        bias = writer.constant(self.bias, source.q.scale * self.scales)
        fused = FUSED[self.activation]
        options = writer.table("Conv2DOptions", StrideH=self.stride, StrideW=self.stride, FusedActivationFunction=fused)
        writer.operator(self.CODE, [number, weights, bias], target, ("Conv2DOptions", options))

    def macs(self, made: Tensor) -> int:
        return self.weights.size * made.shape[0] * made.shape[1]

    def kernel(self) -> Kernel:
        """The inner loop for it."""
        return layer_kernel(self.bias, self.scales, self.activation, self.weights.shape[3])

    def spare(self) -> int:
        return -len(self.bias) % self.kernel().width

    def constants(self, index: int, read: Sequence[Placed], made: Placed) -> Iterator[str]:
        source, target = read[0].tensor, made.tensor
        out = self.integers([source], target).out
        yield from layer(index, self.weights.reshape(len(self.bias), -1).T, self.bias, out, self.kernel())
        window = self.weights.shape[1:3]
        sides = zip(source.shape[:2], target.shape[:2], window, strict=True)
        before = [max((out - 1) * self.stride + size - side, 0) // 2 for side, out, size in sides]
        geometry = [*source.shape, *target.shape, source.q.zero_point, *window, self.stride, *before]
        kernel = self.kernel()
        fields = [f"&layer_{index}", read[0].offset, made.offset, *geometry, kernel.width, kernel.name]
        yield c_text.struct(self.STRUCT, index, fields)

    C: ClassVar = """\
struct conv {
    const ROM struct layer *layer; /* of one place: its window's inputs to its outputs */
    int32_t source;            /* in the arena, as all that follow */
    int32_t target;
    int16_t height;
    int16_t width;
    int16_t channels;
    int16_t out_height;
    int16_t out_width;
    int16_t out_channels;
    int16_t zero;
    int8_t window_height;
    int8_t window_width;
    int8_t stride;
    int8_t top;
    int8_t left;
    int8_t block; /* outputs that are computed together */
    void (*kernel)(const ROM struct layer *l, const struct rows *r, int8_t *y);
};

/* What the window and the image share is a rectangle of at least one place. */
FAST static void conv(const struct conv *c)
{
    int8_t *y = arena + c->target;
    struct rows r;
    int row;
    int column;
    r.zero = c->zero;
    for (row = 0; row < c->out_height; row++) {
        const int top = row * c->stride - c->top;
        const int first_row = top < 0 ? 0 : top;
        const int last_row = top + c->window_height < c->height ? top + c->window_height : c->height;
        r.rows = (int16_t)(last_row - first_row);
        for (column = 0; column < c->out_width; column++) {
            const int left = column * c->stride - c->left;
            const int first = left < 0 ? 0 : left;
            const int last = left + c->window_width < c->width ? left + c->window_width : c->width;
            const int32_t skipped = (int32_t)(first_row - top) * c->window_width + first - left;
            r.first = arena + c->source + ((int32_t)first_row * c->width + first) * c->channels;
            r.length = (int32_t)(last - first) * c->channels;
            r.gap = (int32_t)c->width * c->channels - r.length;
            r.weight = skipped * c->channels * c->block;
            r.weight_gap = ((int32_t)c->window_width * c->channels - r.length) * c->block;
            c->kernel(c->layer, &r, y);
            y += c->out_channels;
        }
    }
}"""

    def row(self) -> tuple[int, int]:
        return FUSED_NAMES.index(self.activation), self.stride

    def arrays(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights, "bias": self.bias, "weight_scales": self.scales}

    @classmethod
    def load(cls, sources: tuple[int, ...], target: int, row: tuple[int, int], arrays: Mapping[str, Any]) -> Self:
        weights, bias, scales = stored.weights(arrays, 4)
        if not 1 <= row[1] <= _MAX_STRIDE:
            raise ValueError(f"a stride of {row[1]}")
        return cls(sources, target, weights, bias, row[1], stored.choice(FUSED_NAMES, row[0]), scales)


def _convolved(x: chex.Array, weights: chex.Array, stride: int) -> chex.Array:
    return jax.lax.conv_general_dilated(
        x,
        weights,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "OHWI", "NHWC"),
        precision=jax.lax.Precision.HIGHEST,
    )


_convolve = jax.jit(_convolved, static_argnames="stride")
