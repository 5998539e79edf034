"""How a sum becomes int8 again: the last step of most operators; and int8 weights."""

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.deploy import integer
from edgerl.deploy.tensor import Fused, Quantisation, clamp, quantise_multiplier
from edgerl.util.errors import UserError

MAX_LEFT_SHIFT = 13  # so that 4 · 2^shift fits the generated C's uint16 factor
_LARGEST_BIAS = 2**26  # of an int32 bias, so that it leaves the accumulator its room


@struct.dataclass
class Output:
    """clamp(requantise(sum) + zero, low, high).

    Attributes:
      multiplier, shift: int32 [] (one scale) or [channels]; see `integer.requantise`.
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


def output(scales: np.ndarray | float, made: Quantisation, activation: Fused = "none") -> Output:
    """The output of sums whose unit is float64 `scales` [] or [channels]. TFLM divides the scales in float64."""
    pairs = [quantise_multiplier(float(scale) / float(made.scale)) for scale in np.atleast_1d(scales)]
    multiplier, shift = (np.array(column, np.int32).reshape(np.shape(scales)) for column in zip(*pairs, strict=True))
    numbers = (jnp.int32(number) for number in (made.zero_point, *clamp(activation, made)))
    return Output(jnp.asarray(multiplier), jnp.asarray(shift), *numbers)


def weighted(
    weights: np.ndarray, bias: np.ndarray, scales: np.ndarray, read: Quantisation, made: Quantisation, activation: Fused
) -> Output:
    """The output of sums of weights times what is read.

    Args:
      weights: int8 [out, ...].
      bias: int32 [out].
      scales: float32 [1] (per tensor) or [out] (per channel), of the weights.
    Raises:
      UserError: an accumulator could leave the range in which every implementation agrees.
    """
    # TFLM multiplies the two scales in float64, per channel and per tensor.
    out = output(np.float64(read.scale) * scales.astype(np.float64), made, activation)
    left = np.maximum(np.asarray(out.shift), 0).astype(np.int64)
    bound = int((integer.largest_accumulators(weights, bias, read.zero_point) << left).max())
    biases = int((np.abs(bias.astype(np.int64)) << left).max())
    if bound >= integer.ACCUMULATOR_LIMIT or int(left.max()) > MAX_LEFT_SHIFT:
        why = "its weights or biases are too large for the range of its outputs"
        if 2 * biases > bound:
            why = "its biases are too large beside what its weights can add, or for the range of its outputs"
        raise UserError(f"it can reach an accumulator of {bound}, over the int8 arithmetic's 2^29: {why}")
    return out


def int8_weights(
    weights: np.ndarray, bias: np.ndarray, read: Quantisation, per_channel: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(int8 weights, int32 bias, float32 scales [out] or [1]) of float32 weights [out, ...] and bias [out].

    Symmetric, with 127 for the largest weight, as TFLite's specification has it. A channel with next to no weights has
    a bias only, which must stay in range: there the scale is wider.

    Raises:
      UserError: weights below float32's normal numbers.
    """
    bias, source = np.asarray(bias, np.float64), float(read.scale)
    largest = np.abs(weights).reshape(len(bias), -1).max(axis=1).astype(np.float64)
    scales = np.maximum(largest / 127, np.abs(bias) / (source * _LARGEST_BIAS))
    scales = np.where(scales > 0, scales, 1.0) if per_channel else np.array([scales.max() or 1.0])
    scales = scales.astype(np.float32)
    if (scales < np.finfo(np.float32).tiny).any():
        raise UserError("its weights are too small for float32, in which processors may take them for 0")
    steps = np.rint(np.asarray(weights, np.float32) / scales.reshape(-1, *[1] * (weights.ndim - 1)))
    sums = np.rint(bias / (source * scales.astype(np.float64)))
    return steps.astype(np.int8), sums.astype(np.int32), scales
