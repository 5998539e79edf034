"""What a policy can see of an exit's answer: calibrated confidence, margin and prediction."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.early_exit.table.table import Table

CHUNK_VALUES = 2**22  # logits in memory at a time


@dataclasses.dataclass(frozen=True)
class Features:
    """Of n images at K exits. All arrays are [n, K]."""

    confidence: np.ndarray  # float32 in [0, 1]: 1 - entropy / log C of the calibrated probabilities
    probability: np.ndarray  # float32 in [0, 1]: of the predicted class
    margin: np.ndarray  # float32 in [0, 1]: from the second likeliest class to the predicted one
    prediction: np.ndarray  # int32 in [0, C)
    correct: np.ndarray  # bool


def features(table: Table, rows: np.ndarray) -> Features:
    """Features of some rows of a table, at its temperatures, computed a chunk at a time."""
    count = max(1, CHUNK_VALUES // (table.exits * table.classes))
    parts = []
    for start in range(0, len(rows), count):
        logits = table.logits(rows[start : start + count])
        parts.append([np.asarray(array) for array in exit_features(logits / table.temperatures[:, None])])
    confidence, probability, margin, prediction = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Features(confidence, probability, margin, prediction, prediction == table.labels[rows][:, None])


@jax.jit
def exit_features(logits: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Confidence, probability, margin and prediction [...] of calibrated logits float [..., C]."""
    log_p = jax.nn.log_softmax(logits)
    p = jnp.exp(log_p)
    confidence = jnp.clip(1 + (p * log_p).sum(-1) / jnp.log(p.shape[-1]), 0, 1)
    prediction = logits.argmax(-1)
    first = p.max(-1)
    second = jnp.where(jnp.arange(p.shape[-1]) == prediction[..., None], 0, p).max(-1)
    return confidence, first, first - second, prediction
