"""Permutations without a sort are permutations, and random ones."""

import jax
import numpy as np
import pytest
from scipy import stats

from edgerl.envs import prng
from edgerl.rl.shuffle import permutation

KEYS = jax.random.split(prng.derive(jax.random.key(0)), 4000)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 100, 2048, 3000])
def test_permutation(n):
    orders = np.asarray(jax.vmap(lambda key: permutation(key, n))(KEYS[:20]))
    assert orders.dtype == np.int32
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.broadcast_to(np.arange(n), (20, n)))


@pytest.mark.parametrize("n", [64, 96])
def test_every_element_is_everywhere_equally_often(n):
    orders = np.asarray(jax.vmap(lambda key: permutation(key, n))(KEYS))
    counts = np.stack([np.bincount(orders[:, place], minlength=n) for place in range(n)])
    expected = len(KEYS) / n
    chi2 = ((counts - expected) ** 2 / expected).sum(axis=1)
    # One test a place; Bonferroni at the 0.1 % level.
    assert stats.chi2.sf(chi2.max(), n - 1) > 0.001 / n


@pytest.mark.parametrize("n", [64, 96])
@pytest.mark.parametrize("distance", [1, 2, 32])
def test_neighbours_part(n, distance):
    """Whether two elements share one of four minibatches has the frequency that it has in a uniform permutation."""
    orders = np.asarray(jax.vmap(lambda key: permutation(key, n))(KEYS))
    minibatch = np.argsort(orders, axis=1) // (n // 4)
    together = minibatch[:, :-distance] == minibatch[:, distance:]
    assert together.mean() == pytest.approx((n // 4 - 1) / (n - 1), abs=0.004)


def test_keys_give_different_orders():
    orders = np.asarray(jax.vmap(lambda key: permutation(key, 64))(KEYS))
    assert len(np.unique(orders, axis=0)) == len(KEYS)
