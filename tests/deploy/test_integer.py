"""The JAX arithmetic against gemmlowp's definition in 64-bit integers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.deploy import integer
from edgerl.deploy.tensor import quantise_multiplier


def gemmlowp(accumulator: np.ndarray, multiplier: int, shift: int) -> np.ndarray:
    """SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT, as gemmlowp's comments define them."""
    product = (accumulator.astype(np.int64) << max(shift, 0)) * multiplier
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))  # C's division truncates
    exponent = max(-shift, 0)
    mask = (1 << exponent) - 1
    return (high >> exponent) + ((high & mask) > (mask >> 1) + (high < 0))


@pytest.mark.parametrize("shift", [-31, -30, -29, -12, -7, -2, -1, 0, 1, 3, 13])
def test_requantise_is_gemmlowps(shift):
    rng = np.random.default_rng(abs(shift))
    limit = 2**29 >> max(shift, 0)
    accumulator = np.concatenate(
        [rng.integers(-limit + 1, limit, 20000), np.arange(-500, 500), [limit - 1, 1 - limit]]
    ).astype(np.int32)
    accumulator = accumulator[np.abs(accumulator.astype(np.int64)) < limit]
    for multiplier in (2**30, 2**31 - 1, 1500000001, int(rng.integers(2**30, 2**31))):
        got = jax.jit(integer.requantise)(accumulator, jnp.int32(multiplier), jnp.int32(shift))
        np.testing.assert_array_equal(got, gemmlowp(accumulator, multiplier, shift))


def test_requantise_by_hand():
    half = jnp.int32(2**30)  # multiplier 0.5
    one_and_a_half = integer.requantise(jnp.array([3, -3, 1, -1]), half, jnp.int32(0))
    np.testing.assert_array_equal(one_and_a_half, [2, -1, 1, 0])  # the first rounding: halves up
    quarter = integer.requantise(jnp.array([8, -8, 12, -12]), half, jnp.int32(-2))
    np.testing.assert_array_equal(quarter, [1, -1, 2, -2])  # the second: halves away from zero


def test_per_channel_multipliers_broadcast():
    accumulators = np.arange(-600, 600, dtype=np.int32).reshape(-1, 3)
    multipliers, shifts = np.array([2**30, 1600000000, 2000000000], np.int32), np.array([-3, 0, 2], np.int32)
    got = np.asarray(integer.requantise(accumulators, multipliers, shifts))
    for channel in range(3):
        want = gemmlowp(accumulators[:, channel], int(multipliers[channel]), int(shifts[channel]))
        np.testing.assert_array_equal(got[:, channel], want)


def test_high_mul_on_the_extremes():
    a = np.array([0, 1, -1, 2**31 - 1, -(2**31), 2**16, -(2**16), 65535, -65536, 12345678], np.int64)
    b = np.array([0, 1, 65535, 65536, 2**30, 2**31 - 1], np.int64)
    a, b = (x.ravel() for x in np.meshgrid(a, b))
    got = integer.high_mul(jnp.asarray(a, jnp.int32), jnp.asarray(b, jnp.int32))
    np.testing.assert_array_equal(got, (a * b) >> 32)


@pytest.mark.parametrize("inputs", [1, 7, 512, 513, 600])
def test_accumulate_is_exact(inputs):
    rng = np.random.default_rng(inputs)
    x = rng.choice([-255, 255, 3], (50, inputs)).astype(np.int32)
    weights = rng.choice([-128, 127], (inputs, 5)).astype(np.int8)
    bias = rng.integers(-(2**20), 2**20, 5).astype(np.int32)
    want = x.astype(np.int64) @ weights.astype(np.int64) + bias
    np.testing.assert_array_equal(jax.jit(integer.accumulate)(x, weights, bias), want)
    np.testing.assert_array_equal(jax.vmap(lambda row: integer.accumulate(row, weights, bias))(x), want)


def test_quantise_by_hand():
    gain, offset = jnp.float32(20.0), jnp.int32(3)  # a step is 0.1
    obs = jnp.array([0.0, 0.1, 0.05, -0.05, 0.04, -0.15, 12.4, -13.1, 1e30, -1e30], jnp.float32)
    np.testing.assert_array_equal(integer.quantise(obs, gain, offset), [3, 4, 4, 2, 3, 1, 127, -128, 127, -128])


def test_quantise_special_values():
    obs = jnp.array([jnp.nan, jnp.inf, -jnp.inf, -0.0, 1e-45], jnp.float32)
    np.testing.assert_array_equal(integer.quantise(obs, jnp.float32(2.0), jnp.int32(-5)), [-5, 127, -128, -5, -5])


def test_quantise_rounds_halves_away_from_zero():
    steps = np.arange(-140, 140) + 0.5
    got = integer.quantise(jnp.asarray(steps, jnp.float32), jnp.float32(2.0), jnp.int32(0))
    want = np.clip(np.sign(steps) * np.floor(np.abs(steps) + 0.5), -128, 127)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("real", [1e-12, 2.0**-32, 2.0**-31, 0.1, 0.5, 0.999999999999, 1.0, 1.7, 300.0])
def test_quantise_multiplier(real):
    multiplier, shift = quantise_multiplier(real)
    assert multiplier == 0 or 2**30 <= multiplier < 2**31
    assert multiplier * 2.0 ** (shift - 31) == pytest.approx(real, rel=2**-30, abs=2.0**-32)
