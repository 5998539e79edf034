"""Angles in float32; the accuracy of `sincos` is tested where the pole goes, with CartPole."""

import jax
import numpy as np
import pytest

from edgerl.simulator.trigonometry import direction, wrapped
from edgerl.simulator.xla import plain_xla

ANGLES = np.concatenate([np.linspace(-4, 4, 100_001), np.linspace(-300, 300, 100_001)]).astype(np.float32)


def test_a_wrapped_angle_points_the_same_way():
    found = np.asarray(jax.jit(wrapped)(ANGLES), np.float64)
    assert np.abs(found).max() <= np.pi + 1e-5
    turns = (ANGLES.astype(np.float64) - found) / (2 * np.pi)
    assert np.abs(turns - np.round(turns)).max() < 1e-6
    inside = np.abs(ANGLES) < 3.14
    np.testing.assert_array_equal(found[inside], ANGLES[inside])


@pytest.mark.parametrize("tricks", [True, False])
def test_a_direction_never_leaves_the_circle(tricks):
    near = np.float32(np.pi / 2) + np.linspace(-1e-3, 1e-3, 4096, dtype=np.float32)
    for angles in (ANGLES, near):
        if tricks:
            cos, sin = jax.jit(direction)(angles)
        else:
            with plain_xla():
                cos, sin = jax.jit(direction)(angles)
        assert max(np.abs(cos).max(), np.abs(sin).max()) <= 1
        np.testing.assert_allclose(cos, np.cos(angles, dtype=np.float64), atol=2e-7)
        np.testing.assert_allclose(sin, np.sin(angles, dtype=np.float64), atol=2e-7)
