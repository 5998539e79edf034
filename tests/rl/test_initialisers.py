"""Orthogonal kernels, against Flax's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.rl.initialisers import orthogonal
from edgerl.rl.layers import MLP

SHAPES = [(64, 4), (64, 64), (2, 64), (1, 16), (5, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_as_flax(shape):
    key = jax.random.key(3)
    expected = nn.initializers.orthogonal(2**0.5, column_axis=0)(key, shape)
    np.testing.assert_allclose(orthogonal(2**0.5)(key, shape), expected, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shorter_side_is_orthonormal(shape):
    kernel = np.asarray(orthogonal(3.0)(jax.random.key(0), shape), np.float64)
    short = kernel if shape[0] <= shape[1] else kernel.T
    np.testing.assert_allclose(short @ short.T, 9 * np.eye(len(short)), atol=1e-5)


def test_no_call_into_lapack():
    """Two factorisations at once wait for each other for ever where there are two cores."""
    network = MLP((16, 16), 2, 1.0, "relu")
    program = jax.jit(jax.vmap(lambda key: network.init(key, jnp.zeros(4))))
    text = program.lower(jax.random.split(jax.random.key(0), 3)).as_text()
    assert "lapack" not in text
