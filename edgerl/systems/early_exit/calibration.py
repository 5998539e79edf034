"""Temperatures that make an exit's probabilities honest, and how honest they are.

Guo et al. (2017), "On Calibration of Modern Neural Networks".
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

LOWEST, HIGHEST = 0.05, 20.0  # temperatures looked at
BISECTIONS = 40


@jax.jit
def fit_temperatures(logits: chex.Array, labels: chex.Array) -> chex.Array:
    """The temperature of every exit that makes the labels likeliest.

    The mean of -log softmax(logits / T)[label] is convex in 1/T, so its derivative, the mean of
    E[logit] - logit[label], is rising: bisection finds its root, or stops at the nearer end of the range.

    Args:
      logits: float [N, K, C].
      labels: int [N].
    Returns:
      float32 [K], from LOWEST to HIGHEST.
    """
    true = jnp.take_along_axis(logits, labels[:, None, None], axis=2)[..., 0]

    def slope(inverse: chex.Array) -> chex.Array:
        probabilities = jax.nn.softmax(logits * inverse[:, None])
        return ((probabilities * logits).sum(-1) - true).mean(0)

    def halve(_: int, bounds: tuple[chex.Array, chex.Array]) -> tuple[chex.Array, chex.Array]:
        low, high = bounds
        middle = (low + high) / 2
        rising = slope(jnp.exp(middle)) > 0
        return jnp.where(rising, low, middle), jnp.where(rising, middle, high)

    exits = logits.shape[1]
    bounds = (jnp.full(exits, -jnp.log(HIGHEST)), jnp.full(exits, -jnp.log(LOWEST)))
    return jnp.exp(-jax.lax.fori_loop(0, BISECTIONS, halve, bounds)[0])


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
