"""Temperatures that make an exit's probabilities honest, and how honest they are.

Temperature scaling: Guo et al. (2017), "On Calibration of Modern Neural Networks".
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

LOWEST, HIGHEST = 0.05, 20.0  # temperatures looked at
BISECTIONS = 40


@jax.jit
def fit_temperatures(logits: chex.Array, labels: chex.Array) -> chex.Array:
    """The temperature of every exit at which the mean probability of the predicted class is the accuracy.

    Clarté et al. (2023), "Expectation Consistency for Calibration of Neural Networks". Against the likeliest
    temperature it does not trade the honesty of the prediction for that of the other classes. The mean falls as the
    temperature rises, so bisection finds it, or stops at the nearer end of the range.

    Args:
      logits: float [N, K, C].
      labels: int [N].
    Returns:
      float32 [K], from LOWEST to HIGHEST.
    """
    accuracy = (logits.argmax(-1) == labels[:, None]).mean(0, dtype=jnp.float32)

    def halve(_: int, bounds: tuple[chex.Array, chex.Array]) -> tuple[chex.Array, chex.Array]:
        low, high = bounds
        middle = (low + high) / 2
        too_sure = jax.nn.softmax(logits / jnp.exp(middle)[:, None]).max(-1).mean(0) > accuracy
        return jnp.where(too_sure, middle, low), jnp.where(too_sure, high, middle)

    exits = logits.shape[1]
    bounds = (jnp.full(exits, jnp.log(LOWEST)), jnp.full(exits, jnp.log(HIGHEST)))
    return jnp.exp(jax.lax.fori_loop(0, BISECTIONS, halve, bounds)[1])


def expected_calibration_error(probability: np.ndarray, correct: np.ndarray, bins: int = 15) -> np.ndarray:
    """Mean distance between probability and accuracy over bins of equal width, weighted by their share of images.

    Args:
      probability: float [N, K] in [0, 1], of the predicted class.
      correct: bool [N, K].
    Returns:
      float [K] in [0, 1].
    """
    index = np.clip(np.ceil(probability * bins).astype(int) - 1, 0, bins - 1)  # bins are open below, closed above
    gap = np.asarray(correct, np.float64) - probability
    sums = [np.bincount(i, weights=g, minlength=bins) for i, g in zip(index.T, gap.T, strict=True)]
    return np.abs(sums).sum(1) / len(probability)
