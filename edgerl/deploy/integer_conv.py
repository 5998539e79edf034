"""The integer arithmetic of convolutional networks, in JAX: what TFLM's int8 kernels compute, bit for bit.

Images are int8 [B, H, W, C]. Rounding is that of `integer.requantise`; padding is TensorFlow's "SAME" and counts as
the zero point. Every sum of products is split into parts that float32 adds exactly, since float convolutions are many
times faster than integer ones on CPUs.
"""

import functools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.deploy import integer
from edgerl.deploy.network import LayerActivation, Quantisation, activation_range, quantise_multiplier

_ADD_SHIFT = 20  # TFLM scales both summands up by 2^20 before it rounds them
_LAYOUT = ("NHWC", "HWIO", "NHWC")


@struct.dataclass
class Output:
    """How sums become int8: clamp(requantise(sum) + zero, low, high).

    Attributes:
      multiplier, shift: int32 [] or [channels]; see `integer.requantise`.
      zero, low, high: int32 []; zero point and clamp, in which ReLU and ReLU6 are.
    """

    multiplier: chex.Array
    shift: chex.Array
    zero: chex.Array
    low: chex.Array
    high: chex.Array

    def __call__(self, sums: chex.Array) -> chex.Array:
        """int8 [..., channels] of int32 [..., channels]."""
        scaled = integer.requantise(sums, self.multiplier, self.shift)
        return jnp.clip(scaled + self.zero, self.low, self.high).astype(jnp.int8)


def output(scales: np.ndarray | float, target: Quantisation, activation: LayerActivation = "none") -> Output:
    """The output of sums whose unit is float64 `scales` [] or [channels]. TFLM divides the scales in float64."""
    pairs = [quantise_multiplier(float(scale) / float(target.scale)) for scale in np.atleast_1d(scales)]
    multiplier, shift = (np.array(column, np.int32).reshape(np.shape(scales)) for column in zip(*pairs, strict=True))
    numbers = (jnp.int32(number) for number in (target.zero_point, *activation_range(activation, target)))
    return Output(jnp.asarray(multiplier), jnp.asarray(shift), *numbers)


@functools.partial(jax.jit, static_argnames="stride")
def conv(
    x: chex.Array, weights: chex.Array, bias: chex.Array, zero: chex.Array, out: Output, stride: int
) -> chex.Array:
    """Convolution: int8 [B, H', W', out] of int8 x [B, H, W, in].

    Args:
      weights: int8 [out, h, w, in], TFLite's order.
      bias: int32 [out].
      zero: int32 [], the zero point of x.
      out: with one multiplier for each output channel.
    """
    _, height, width, channels = weights.shape
    parts = math.ceil(height * width * channels / integer.MAX_FLOAT_TERMS)
    size = math.ceil(channels / parts)
    centred, kernel = _centred(x, zero), weights.transpose(1, 2, 3, 0).astype(jnp.float32)
    sums = bias
    for i in range(0, channels, size):
        part = _conv(centred[..., i : i + size], kernel[:, :, i : i + size], stride)
        sums = sums + part.astype(jnp.int32)
    return out(sums)


def _centred(x: chex.Array, zero: chex.Array) -> chex.Array:
    return (x.astype(jnp.int32) - zero).astype(jnp.float32)


def _conv(x: chex.Array, kernel: chex.Array, stride: int) -> chex.Array:
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=_LAYOUT,
        precision=jax.lax.Precision.HIGHEST,
    )


@jax.jit
def mean(x: chex.Array, zero: chex.Array, out: Output) -> chex.Array:
    """The mean over all places: int8 [B, 1, 1, C] of int8 x [B, H, W, C]; `out` is of `mean_output`."""
    return out((x.astype(jnp.int32) - zero).sum((1, 2), keepdims=True))


def mean_output(source: Quantisation, target: Quantisation, places: int) -> Output:
    """The output of a mean over so many places. TFLM divides the multiplier by their number, and rounds down."""
    out = output(float(source.scale), target)
    shift = min(places.bit_length() - 1, 31 + int(out.shift))
    multiplier = (int(out.multiplier) << shift) // places
    return out.replace(multiplier=jnp.int32(multiplier), shift=out.shift - shift)  # type: ignore[attr-defined]


@struct.dataclass
class Summand:
    """One side of an addition: its zero point, and what brings both sides to one scale. All int32 []."""

    multiplier: chex.Array
    shift: chex.Array
    zero: chex.Array


def summands(
    a: Quantisation, b: Quantisation, target: Quantisation, activation: LayerActivation
) -> tuple[Summand, Summand, Output]:
    """The constants of `add`."""
    twice = 2 * max(float(a.scale), float(b.scale))
    sides = []
    for side in (a, b):
        multiplier, shift = quantise_multiplier(float(side.scale) / twice)
        sides.append(Summand(jnp.int32(multiplier), jnp.int32(shift), jnp.int32(side.zero_point)))
    return sides[0], sides[1], output(twice / 2**_ADD_SHIFT, target, activation)


@jax.jit
def add(a: chex.Array, b: chex.Array, of_a: Summand, of_b: Summand, out: Output) -> chex.Array:
    """int8 sum of two int8 arrays of one shape, each with its own scale."""
    return out(_brought(a, of_a) + _brought(b, of_b))


def _brought(x: chex.Array, side: Summand) -> chex.Array:
    return integer.requantise((x.astype(jnp.int32) - side.zero) << _ADD_SHIFT, side.multiplier, side.shift)
