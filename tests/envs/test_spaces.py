import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from edgerl.envs.spaces import Box, Discrete

KEYS = jax.random.split(jax.random.key(0), 20_000)
FLOAT_MAX = float(np.finfo(np.float32).max)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 256, 2**16, 2**16 + 1, 2**31 - 1])
def test_discrete_samples_are_uniform(n):
    space = Discrete(n)
    draws = np.asarray(jax.vmap(space.sample)(KEYS))
    assert draws.dtype == np.int32
    assert draws.min() >= 0
    assert draws.max() < n
    cells = min(n, 50)
    counts = np.bincount(draws.astype(np.int64) * cells // n, minlength=cells)
    edges = (np.arange(cells + 1) * n + cells - 1) // cells  # the whole numbers that fall into each cell
    if n > 1:
        assert stats.chisquare(counts, len(draws) * np.diff(edges) / n).pvalue > 5e-4


def test_discrete_sample_by_hand():
    """The high word of bits · n: of 2³² bits the first third gives 0, the next 1, the last 2."""
    space = Discrete(3)
    for bits, expected in ((0, 0), (0x55555555, 0), (0x55555556, 1), (0xAAAAAAAA, 1), (0xAAAAAAAB, 2), (2**32 - 1, 2)):
        assert (bits * 3) >> 32 == expected
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jax.random, "bits", lambda *_, bits=bits: jnp.uint32(bits))
            assert int(space.sample(jax.random.key(0))) == expected


def test_discrete_contains():
    space = Discrete(3)
    inside = [0, 2, np.int64(1), jnp.int32(2), np.uint8(0)]
    outside = [3, -1, 1.0, np.float32(2), True, np.array([1]), jnp.zeros((2,), int)]
    assert [bool(space.contains(x)) for x in inside] == [True] * 5
    assert [bool(space.contains(x)) for x in outside] == [False] * 7
    assert space.shape == ()
    assert space.dtype == np.int32


def test_box_contains():
    space = Box((-1.0, -math.inf), (1.0, 0.0), (2,))
    inside = [[0, 0], [-1, -1e30], [1, -math.inf]]
    outside = [[1.1, 0], [0, 0.1], [math.nan, 0], [0, math.nan], [math.inf, 0]]
    assert all(bool(space.contains(np.float32(x))) for x in inside)
    assert not any(bool(space.contains(np.float32(x))) for x in outside)
    assert not space.contains(np.zeros(2, np.float64) if jax.config.jax_enable_x64 else np.zeros(2, np.int32))
    assert not space.contains(np.zeros(3, np.float32))
    assert not space.contains(np.float32(0))
    assert bool(jax.jit(space.contains)(jnp.zeros(2)))


def test_box_samples_as_gymnasium_would():
    """Uniform between two bounds, exponential away from one, normal without any."""
    space = Box((-2.0, 0.0, -math.inf, -math.inf), (4.0, math.inf, 0.0, math.inf), (4,))
    draws = np.asarray(jax.jit(jax.vmap(space.sample))(KEYS))
    assert draws.dtype == np.float32
    for column, law in enumerate(
        (stats.uniform(-2, 6).cdf, stats.expon.cdf, lambda x: 1 - stats.expon.cdf(-x), stats.norm.cdf)
    ):
        assert stats.kstest(draws[:, column].astype(np.float64), law).pvalue > 5e-4
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.04


bounds = st.floats(-FLOAT_MAX, FLOAT_MAX, width=32) | st.sampled_from([-math.inf, math.inf, 0.0, 1.0, -1.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(bounds, bounds).map(sorted), min_size=1, max_size=4))
def test_box_contains_what_it_samples(pairs):
    """Whatever the bounds, the greatest floats among them: no overflow, no NaN, no warning."""
    pairs = [(a, b) for a, b in pairs if not (a == b and math.isinf(a))]
    space = Box(tuple(a for a, _ in pairs), tuple(b for _, b in pairs), (len(pairs),))
    for key in KEYS[:20]:
        assert space.contains(space.sample(key))


def test_bounds_may_be_numbers_or_nested():
    low, high = Box(0.0, 1.0, (2, 3)).bounds()
    assert low.shape == high.shape == (2, 3)
    assert (low.dtype, high.max()) == (np.float32, 1.0)
    nested = Box(((0.0, 1.0), (2.0, 3.0)), 9.0, (2, 2))
    np.testing.assert_array_equal(nested.bounds()[0], [[0, 1], [2, 3]])
    assert hash(nested) == hash(Box(((0.0, 1.0), (2.0, 3.0)), 9.0, (2, 2)))
    assert Box(0.0, 1.0, (2,)) != Box(0.0, 2.0, (2,))
