"""A dense layer: sums of products with every input, then ReLU or ReLU6 if asked (TFLite: FULLY_CONNECTED)."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, get_args

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.deploy import c_text, integer
from edgerl.deploy.c_kernels import Kernel, blocks
from edgerl.deploy.ops import arrays as stored
from edgerl.deploy.ops.operation import Operation, Placed
from edgerl.deploy.ops.output import Output, int8_weights, weighted
from edgerl.deploy.tensor import Fused, Tensor
from edgerl.deploy.tflite_writer import FUSED, Writer

RELUS = {"none": lambda x: x, "relu": jax.nn.relu, "relu6": jax.nn.relu6}
FUSED_NAMES: tuple[Fused, ...] = get_args(Fused)


@struct.dataclass
class IntegerDense:
    """A dense layer in integers.

    Attributes:
      weights: int8 [in, out].
      bias: int32 [out].
      zero: int32 [], the zero point of what is read.
      out: with one multiplier, or one for each output.
    """

    weights: chex.Array
    bias: chex.Array
    zero: chex.Array
    out: Output

    def accumulators(self, x: chex.Array) -> chex.Array:
        """int32 [..., out] for int8 x [..., in]."""
        return integer.accumulate(x.astype(jnp.int32) - self.zero, self.weights, self.bias)

    @jax.jit
    def __call__(self, x: chex.Array) -> chex.Array:
        """int8 [..., out] for int8 x [..., in]."""
        return self.out(self.accumulators(x))


@dataclasses.dataclass(frozen=True)
class Dense(Operation):
    """A dense layer.

    Attributes:
      weights: float32 or int8 [out, in], TFLite's order.
      bias: float32, or int32 in units of the input's scale times the weights'; [out].
      weight_scales: float32 [1] (per tensor) or [out] (per channel); None in a float network.
    """

    weights: np.ndarray
    bias: np.ndarray
    activation: Fused = "none"
    weight_scales: np.ndarray | None = None

    CODE: ClassVar = (9, 5)
    RESOLVER: ClassVar = "AddFullyConnected"
    STRUCT: ClassVar = "fully_connected"

    @property
    def scales(self) -> np.ndarray:
        """The weights' scales in an int8 network."""
        assert self.weight_scales is not None
        return self.weight_scales

    def shape(self, *read: tuple[int, ...]) -> tuple[int, ...]:
        if read != (self.weights.shape[1:],):
            raise ValueError(f"weights of shape {self.weights.shape} on an input of shape {read[0]}")
        return (len(self.bias),)

    def real(self, *read: chex.Array) -> chex.Array:
        return RELUS[self.activation](read[0] @ self.weights.T + self.bias)

    def quantised(self, read: Sequence[Tensor], per_channel: bool) -> Self:
        weights, bias, scales = int8_weights(self.weights, self.bias, read[0].q, per_channel)
        return dataclasses.replace(self, weights=weights, bias=bias, weight_scales=scales)

    def integers(self, read: Sequence[Tensor], made: Tensor) -> IntegerDense:
        out = weighted(self.weights, self.bias, self.scales, read[0].q, made.q, self.activation)
        zero = jnp.int32(read[0].q.zero_point)
        return IntegerDense(jnp.asarray(self.weights.T), jnp.asarray(self.bias), zero, out)

    def write(self, writer: Writer, read: Sequence[tuple[Tensor, int]], made: tuple[Tensor, int]) -> None:
        (source, number), (_, target) = read[0], made
        weights = writer.constant(self.weights, self.scales)
        bias = writer.constant(self.bias, (source.q.scale * self.scales).astype(np.float32))
        options = writer.table("FullyConnectedOptions", FusedActivationFunction=FUSED[self.activation])
        writer.operator(self.CODE, [number, weights, bias], target, ("FullyConnectedOptions", options))

    def macs(self, made: Tensor) -> int:
        return self.weights.size

    def kernel(self) -> Kernel:
        """The inner loop for it, in a network whose values are int8 between its operations."""
        return layer_kernel(self.bias, self.scales, self.activation, self.weights.shape[1])

    def spare(self) -> int:
        return -len(self.bias) % self.kernel().width

    def constants(self, index: int, read: Sequence[Placed], made: Placed) -> Iterator[str]:
        out = self.integers([read[0].tensor], made.tensor).out
        yield from layer(index, self.weights.T, self.bias, out, self.kernel())
        fields = [f"&layer_{index}", read[0].offset, made.offset, read[0].tensor.q.zero_point, self.kernel().name]
        yield c_text.struct(self.STRUCT, index, fields)

    C: ClassVar = """\
struct fully_connected {
    const ROM struct layer *layer;
    int32_t source; /* in the arena, as the target */
    int32_t target;
    int16_t zero;
    void (*kernel)(const ROM struct layer *l, const struct rows *r, int8_t *y);
};

FAST static void fully_connected(const struct fully_connected *c)
{
    struct rows r = {0, 0, 0, 0, 0, 1, 0};
    r.first = arena + c->source;
    r.length = c->layer->inputs;
    r.zero = c->zero;
    c->kernel(c->layer, &r, arena + c->target);
}"""

    def row(self) -> tuple[int, int]:
        return FUSED_NAMES.index(self.activation), 0

    def arrays(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights, "bias": self.bias, "weight_scales": self.scales}

    @classmethod
    def load(cls, sources: tuple[int, ...], target: int, row: tuple[int, int], arrays: Mapping[str, Any]) -> Self:
        weights, bias, scales = stored.weights(arrays, 2)
        return cls(sources, target, weights, bias, stored.choice(FUSED_NAMES, row[0]), scales)


def layer_kernel(bias: np.ndarray, scales: np.ndarray, activation: Fused, inputs: int) -> Kernel:
    """The inner loop of int8 to int8; `inputs`, or a multiple of them, lie one behind the other."""
    width, unroll = -(-len(bias) // blocks(len(bias))), next(n for n in (4, 3, 2, 1) if inputs % n == 0)
    epilogue = "scores" if activation == "none" else "relu_int8"
    return Kernel(width, epilogue, len(scales) > 1, unroll, image=True)


def layer(index: int, weights: np.ndarray, bias: np.ndarray, out: Output, kernel: Kernel) -> Iterator[str]:
    """C definitions of `struct layer layer_INDEX`, given weights int8 [in, out]."""
    count = blocks(len(bias))
    yield from c_text.dense(index, weights, bias, kernel.width)
    spare = count * kernel.width - len(bias) if kernel.per_channel else 0
    yield c_text.scalings(index, np.atleast_1d(out.multiplier), np.atleast_1d(out.shift), spare)
    names = [f"weights_{index}", f"bias_{index}", f"scaling_{index}"]
    numbers = [len(weights), count, int(out.zero), int(out.low), int(out.high)]
    yield c_text.struct("layer", index, [*names, *numbers], rom="ROM ")
