"""What fits into 32 bits comes out again."""

import jax
import numpy as np
import pytest

from edgerl.tasks.early_exit.table.features import Features
from edgerl.tasks.early_exit.table.packing import BYTE_LEVELS, CONFIDENCE_LEVELS, pack, unpack


def random_features(n=500, exits=3, seed=0):
    rng = np.random.default_rng(seed)
    share = rng.random((3, n, exits)).astype(np.float32)
    share[:, 0], share[:, 1] = 0, 1
    prediction = rng.integers(0, 3, (n, exits)).astype(np.int32)
    return Features(*share, prediction, rng.random((n, exits)) < 0.5)


def test_round_trip():
    seen = random_features()
    words = pack(seen)
    assert words.dtype == np.uint32
    assert words.shape == (500 * 3,)
    word = jax.tree.map(lambda x: np.asarray(x).reshape(500, 3), jax.jit(unpack)(words))
    assert np.abs(word.confidence - seen.confidence).max() <= 0.5 / CONFIDENCE_LEVELS + 1e-7
    assert np.abs(word.margin - seen.margin).max() <= 0.5 / BYTE_LEVELS + 1e-7
    assert np.abs(word.probability - seen.probability).max() <= 0.5 / BYTE_LEVELS + 1e-7
    np.testing.assert_array_equal(word.correct, seen.correct)
    np.testing.assert_array_equal(word.agreement[:, 1:], seen.prediction[:, 1:] == seen.prediction[:, :-1])
    assert not word.agreement[:, 0].any()


def test_the_ends_are_exact():
    word = unpack(pack(random_features())[:6].reshape(2, 3))
    for part in word[:2]:
        assert np.asarray(part)[0].tolist() == [0, 0, 0]
        assert np.asarray(part)[1] == pytest.approx([1, 1, 1], abs=1e-7)
        assert np.asarray(part).max() <= 1


def test_order_is_kept():
    """A larger confidence never becomes a smaller one."""
    confidence = np.sort(np.random.default_rng(1).random((1000, 1)).astype(np.float32), 0)
    zero = np.zeros((1000, 1))
    seen = Features(confidence, zero, zero, zero.astype(np.int32), zero > 0)
    assert (np.diff(np.asarray(unpack(pack(seen)).confidence)) >= 0).all()
