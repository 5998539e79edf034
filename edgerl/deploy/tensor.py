"""What an int8 number stands for, and how one scale becomes another. NumPy only."""

import dataclasses
import math
from typing import Literal

import numpy as np

Fused = Literal["none", "relu", "relu6"]
"""An activation that an operator's own clamp computes."""


@dataclasses.dataclass(frozen=True)
class Quantisation:
    """real = scale · (integer - zero_point)."""

    scale: np.float32
    zero_point: int


@dataclasses.dataclass(frozen=True)
class Tensor:
    """What an operation reads or writes.

    Attributes:
      shape: without the batch: (features,) or (height, width, channels).
      quantisation: None in a float network.
    """

    shape: tuple[int, ...]
    quantisation: Quantisation | None = None

    @property
    def q(self) -> Quantisation:
        """The quantisation of a tensor that has one."""
        assert self.quantisation is not None  # only a float network's tensors have none
        return self.quantisation

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def affine(low: float, high: float) -> Quantisation:
    """The scale and zero point whose int8 values span [low, high], widened to hold 0 exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255 or 1 / 128)
    return Quantisation(scale, int(np.clip(round(-128 - low / float(scale)), -128, 127)))


def clamp(activation: Fused, output: Quantisation) -> tuple[int, int]:
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
