"""What an episode reads, one 32-bit word an image and exit, so that the whole table stays in a core's cache.

Bits from the top: confidence 14, margin 8, probability 8, agreement with the exit before 1, correct 1.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.early_exit.table.features import Features

CONFIDENCE_LEVELS = 2**14 - 1
BYTE_LEVELS = 2**8 - 1


class Word(NamedTuple):
    """A word, unpacked; all arrays are float32 of its shape, in [0, 1]."""

    confidence: chex.Array  # 1 - entropy / log C, to within 1 / 32,766
    margin: chex.Array  # to within 1 / 510
    probability: chex.Array  # to within 1 / 510
    agreement: chex.Array  # 0 or 1: predicts what the exit before predicted; 0 at the first exit
    correct: chex.Array  # 0 or 1


def pack(features: Features) -> np.ndarray:
    """uint32 [n * K]: image by image, exit by exit."""
    prediction = features.prediction
    agreement = np.zeros(prediction.shape, np.uint32)
    agreement[:, 1:] = prediction[:, 1:] == prediction[:, :-1]
    words = (
        _levels(features.confidence, CONFIDENCE_LEVELS) << 18
        | _levels(features.margin, BYTE_LEVELS) << 10
        | _levels(features.probability, BYTE_LEVELS) << 2
        | agreement << 1
        | features.correct.astype(np.uint32)
    )
    return words.reshape(-1)


def unpack(words: chex.Array) -> Word:
    """The parts of words uint32 [...]. What is not used is not computed under `jit`."""

    def part(shift: int, levels: int) -> chex.Array:
        whole = (words >> shift) & levels
        # By way of int32, which vector units convert at once.
        return whole.astype(jnp.int32).astype(jnp.float32) * jnp.float32(1 / levels)

    return Word(part(18, CONFIDENCE_LEVELS), part(10, BYTE_LEVELS), part(2, BYTE_LEVELS), part(1, 1), part(0, 1))


def _levels(values: np.ndarray, levels: int) -> np.ndarray:
    return np.rint(np.clip(values, 0, 1) * levels).astype(np.uint32)
