"""An int8 multilayer perceptron as TFLite describes it: weights, scales and zero points. NumPy only."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgerl.deploy.tables import OUTPUT_SCALE, OUTPUT_ZERO_POINT

LayerActivation = Literal["none", "relu", "relu6", "tanh", "sigmoid"]


@dataclass(frozen=True)
class Quantisation:
    """real = scale · (integer - zero_point)."""

    scale: np.float32
    zero_point: int


@dataclass(frozen=True)
class Layer:
    """One dense layer and what follows it.

    Attributes:
      weights: int8 [out, in], TFLite's order.
      bias: int32 [out], in units of the input's scale times the weights' scale.
      weight_scales: float32 [1] (per tensor) or [out] (per channel).
      output: of the dense layer itself, before tanh or sigmoid.
      activation: relu and relu6 are fused into the dense layer's clamp, tanh and sigmoid are operators of their own.
    """

    weights: np.ndarray
    bias: np.ndarray
    weight_scales: np.ndarray
    output: Quantisation
    activation: LayerActivation

    @property
    def activated(self) -> Quantisation:
        """Of what the next layer reads."""
        if self.activation in ("tanh", "sigmoid"):
            return Quantisation(np.float32(OUTPUT_SCALE[self.activation]), OUTPUT_ZERO_POINT[self.activation])
        return self.output

    @property
    def clamp(self) -> tuple[int, int]:
        """The dense layer's lowest and highest output."""
        return activation_range(self.activation, self.output)


@dataclass(frozen=True)
class Network:
    """An int8 multilayer perceptron: one input [1, features], one output [1, actions]."""

    input: Quantisation
    layers: tuple[Layer, ...]

    @property
    def inputs(self) -> tuple[Quantisation, ...]:
        """What each layer reads."""
        return (self.input, *(layer.activated for layer in self.layers[:-1]))

    def fixed_point(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(multipliers, shifts), int32 [1] or [out], that scale layer `index`'s accumulators to its output.

        TFLM multiplies the two scales in float64, per channel and per tensor.
        """
        layer, in_scale = self.layers[index], self.inputs[index].scale
        products = np.float64(in_scale) * layer.weight_scales.astype(np.float64)
        pairs = [quantise_multiplier(float(product / np.float64(layer.output.scale))) for product in products]
        return np.array([m for m, _ in pairs], np.int32), np.array([s for _, s in pairs], np.int32)


def activation_range(activation: LayerActivation, output: Quantisation) -> tuple[int, int]:
    """The lowest and highest int8 under a fused activation (TFLM: CalculateActivationRangeQuantized)."""
    zero, low, high = output.zero_point, -128, 127
    if activation in ("relu", "relu6"):
        low = max(low, zero)
    if activation == "relu6":
        high = min(high, zero + math.floor(np.float32(6) / output.scale + np.float32(0.5)))
    return low, high


def quantise_multiplier(real: float) -> tuple[int, int]:
    """(multiplier in [2^30, 2^31), shift) with real ≈ multiplier · 2^(shift - 31), as TFLM's QuantizeMultiplier."""
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)
