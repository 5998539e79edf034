"""TFLM's int8 tanh and sigmoid as 256-entry tables, computed with its own fixed-point steps (gemmlowp, 2015).

A table made in float agrees in all but about one entry in a million; the ones that differ are those whose exact value
lies next to a half. Equality on every input needs the steps themselves. Numbers below are raw fixed point: Qi holds i
integer bits and 31 - i fractional bits in an int32, here in numpy int64.
"""

import math
from typing import Literal

import numpy as np

Table = Literal["tanh", "sigmoid"]

_INPUT_BITS = 4  # TFLM feeds both functions in Q4: [-16, 16)
_ONE = 2**31 - 1  # 1 in Q0, as near as it gets
# exp(-2^k) in Q0, for k = -2 … 4
_EXP_OF_POWERS = tuple((k, round(math.exp(-(2.0**k)) * 2**31)) for k in range(-2, 5))
_EXP_OF_EIGHTH = round(math.exp(-1 / 8) * 2**31)
_THIRD = round(2**31 / 3)
NEWTON_START = round(48 / 17 * 2**29)  # in Q2; with -32/17 the first guess of the Newton-Raphson division
NEWTON_SLOPE = -round(32 / 17 * 2**29)


def activation_table(kind: Table, scale: float, zero_point: int) -> np.ndarray:
    """int8 [256]: the output for each int8 input -128 … 127 that stands for scale · (input - zero_point)."""
    fraction, exponent = math.frexp(float(np.float32(scale)) * 2 ** (31 - _INPUT_BITS))
    multiplier = math.floor(fraction * 2**31 + 0.5)
    radius = math.floor(((1 << _INPUT_BITS) - 1) * 2.0 ** (31 - _INPUT_BITS - exponent))
    centred = np.arange(-128, 128, dtype=np.int64) - zero_point
    inside = np.clip(centred, -radius, radius)
    x = _divide_by_pot(mul(inside << max(exponent, 0), multiplier), max(-exponent, 0))
    y = _divide_by_pot(_tanh(x), 24) if kind == "tanh" else _divide_by_pot(_logistic(x), 23) - 128
    y = np.where(centred <= -radius, -128, np.where(centred >= radius, 127, y))
    return np.clip(y, -128, 127).astype(np.int8)


def mul(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    """round(a · b / 2^31), halves up: SaturatingRoundingDoublingHighMul without its one saturating case."""
    return (a * b + (1 << 30)) >> 31


def _divide_by_pot(x: np.ndarray, exponent: int) -> np.ndarray:
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def _saturating_shift(x: np.ndarray, bits: int) -> np.ndarray:
    return np.clip(x << bits, -(2**31), 2**31 - 1)


def exp_on_negative(a: np.ndarray, integer_bits: int) -> np.ndarray:
    """exp(a) in Q0 for a ≤ 0: a polynomial on [-1/4, 0), then one factor for each bit of what is left."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    near = (a & (quarter - 1)) - quarter
    x = _saturating_shift(near, integer_bits) + (1 << 28)  # from the interval's middle, -1/8
    x2 = mul(x, x)
    x3, x4 = mul(x2, x), mul(x2, x2)
    series = _divide_by_pot(mul(_divide_by_pot(x4, 2) + x3, _THIRD) + x2, 1)
    result = _EXP_OF_EIGHTH + mul(x + series, _EXP_OF_EIGHTH)
    for power, factor in _EXP_OF_POWERS:
        if integer_bits > power:
            result = np.where((near - a) & (1 << (fraction_bits + power)), mul(result, factor), result)
    return np.where(a == 0, _ONE, result)


def _two_over_one_plus(a: np.ndarray) -> np.ndarray:
    """2 / (1 + a) in Q2 for a in [0, 1] in Q0: three Newton-Raphson steps."""
    half_denominator = (a + _ONE + 1) >> 1
    x = NEWTON_START + mul(half_denominator, NEWTON_SLOPE)
    for _ in range(3):
        x = x + _saturating_shift(mul(x, (1 << 29) - mul(half_denominator, x)), 2)
    return x


def _tanh(a: np.ndarray) -> np.ndarray:
    """tanh of Q4 in Q0. exp(-2|a|): the same bits read as Q5 are twice the value."""
    magnitude = _saturating_shift(_two_over_one_plus(exp_on_negative(-np.abs(a), _INPUT_BITS + 1)) - (1 << 29), 2)
    return np.sign(a) * magnitude


def _logistic(a: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-a)) of Q4 in Q0. Half of a Q2 number, as Q0, is its bits shifted left by one."""
    positive = _saturating_shift(_two_over_one_plus(exp_on_negative(-np.abs(a), _INPUT_BITS)), 1)
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, _ONE - positive))
