"""What the device makes of an exit's logits, in fixed point: the arithmetic of `exits.c` in NumPy, bit for bit.

Probabilities are powers of two of whole 4096ths, looked up and interpolated; entropy comes from their sum and their
weighted distance from the largest, H = log2(sum) + mean distance, so that there is one logarithm and no exponential
function. Both sides are integers after one float product.
"""

import dataclasses

import numpy as np

STEPS = 4096
LIMIT = 2**30
ONE = 2**30
POWERS = np.rint(ONE * 2.0 ** (-np.arange(65) / 64)).astype(np.uint64)
LOGS = np.rint(65536 * np.log2(1 + np.arange(65) / 64)).astype(np.uint64)
PLAIN_GAIN = np.float32(STEPS * np.log2(np.e))  # of temperature 1


@dataclasses.dataclass(frozen=True)
class Answers:
    """What the device knows of exits' logits; shares are whole 65536ths, int64 [...]."""

    confidence: np.ndarray
    margin: np.ndarray
    probability: np.ndarray
    prediction: np.ndarray  # int64 [...]


def answers(logits: np.ndarray, gain: np.ndarray) -> Answers:
    """Of float32 logits [..., C] with the gain float32 [...] of their exit: what `answer_of` in exits.c computes."""
    with np.errstate(over="ignore", invalid="ignore"):
        x = np.asarray(logits, np.float32) * np.asarray(gain, np.float32)[..., None]
    low, high = ~(x > -LIMIT), ~(x < LIMIT)
    units = np.where(low, -LIMIT, np.where(high, LIMIT, np.where(low | high, 0, x).astype(np.int64)))
    prediction = np.where(np.isnan(logits), -np.inf, logits).argmax(-1)
    # Among NaN and minus infinity, the first that is a number, as a comparison in C finds it.
    least = np.isnan(logits) | (logits == -np.inf)
    prediction = np.where(least.all(-1), (~np.isnan(logits)).argmax(-1), prediction)
    distance = (np.take_along_axis(units, prediction[..., None], -1) - units).astype(np.uint64)
    e = _power(distance)
    total = e.sum(-1)
    others = np.where(np.arange(logits.shape[-1]) == prediction[..., None], np.uint64(0), e)
    weighted = (e * np.minimum(distance, np.uint64(2**17))).sum(-1)
    sixteen = np.uint64(16)
    bits = _logarithm(total) + weighted // total * sixteen + weighted % total * sixteen // total
    entropy = bits * np.uint64(per_log_classes(logits.shape[-1])) >> np.uint64(31)
    scale = np.uint64(16)
    return Answers(
        np.maximum(65536 - entropy.astype(np.int64), 0),
        (((np.uint64(ONE) - others.max(-1)) << scale) // total).astype(np.int64),
        ((np.uint64(ONE) << scale) // total).astype(np.int64),
        prediction,
    )


def per_log_classes(classes: int) -> int:
    """2^31 / log2(classes), whole."""
    return round(2**31 / np.log2(classes))


def _power(distance: np.ndarray) -> np.ndarray:
    i = (distance % np.uint64(STEPS)) >> np.uint64(6)
    between = ((POWERS[i] - POWERS[i + np.uint64(1)]) * (distance & np.uint64(63))) >> np.uint64(6)
    shift = distance >> np.uint64(12)
    return np.where(shift > 31, np.uint64(0), (POWERS[i] - between) >> np.minimum(shift, np.uint64(31)))


def _logarithm(x: np.ndarray) -> np.ndarray:
    whole = np.zeros_like(x)
    for bit in range(31, 31 + 17):
        whole += (x >> np.uint64(bit)) != 0
    mantissa = (x >> whole) - np.uint64(ONE)
    i, rest = mantissa >> np.uint64(24), (mantissa >> np.uint64(8)) & np.uint64(0xFFFF)
    step = LOGS[i + np.uint64(1)] - LOGS[i]
    return (whole << np.uint64(16)) + LOGS[i] + (step * rest >> np.uint64(16))


def gain_of(temperatures: np.ndarray) -> np.ndarray:
    """float32 [K]: units of a scaled logit for one of the logits of an exit with this temperature."""
    return (STEPS * np.log2(np.e) / temperatures.astype(np.float64)).astype(np.float32)
