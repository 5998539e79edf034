import numpy as np
import pytest

from edgerl import MLPPolicy, UserError
from edgerl.deploy import calibration


def test_features_get_their_own_range():
    rng = np.random.default_rng(0)
    observations = rng.uniform([-2.0, 0.0, 1000.0], [2.0, 1e-3, 1001.0], (5000, 3)).astype(np.float32)
    quantiser = calibration.fit_quantiser(observations, percentile=100, widening=1.0)
    np.testing.assert_allclose(quantiser.low[:2], [-2.0, 0.0], atol=0.02)
    np.testing.assert_allclose(quantiser.high[:2], [2.0, 1e-3], atol=0.02)
    # So far from zero the range is wider than the values: float32 must resolve its steps, and an int its offset.
    assert quantiser.low[2] < 1000.0
    assert quantiser.high[2] > 1001.0
    assert 0.02 < quantiser.step[2] < 0.05


def test_quantising_and_back_is_within_half_a_step():
    observations = np.random.default_rng(1).normal(size=(2000, 4)).astype(np.float32) * [1, 10, 0.01, 5]
    quantiser = calibration.fit_quantiser(observations, percentile=100, widening=1.0)
    q = calibration.quantise(observations.astype(np.float32), quantiser.gain, quantiser.offset)
    back = (np.asarray(q, np.float64) - quantiser.offset) * quantiser.step
    assert (np.abs(back - observations) <= 0.5001 * quantiser.step)[(observations < quantiser.high).all(axis=1)].all()


def test_the_folded_policy_is_the_same_function(make_policy, observations):
    policy = make_policy((8,), "tanh")
    quantiser = calibration.fit_quantiser(observations)
    inputs = calibration.representative_inputs(quantiser, observations, 4000)[:-2]
    seen = ((inputs.astype(np.float64) - quantiser.offset) * quantiser.step).astype(np.float32)
    np.testing.assert_allclose(
        calibration.fold(policy, quantiser).logits(inputs / np.float32(128)), policy.logits(seen), atol=1e-4
    )


def test_inputs_touch_both_ends():
    quantiser = calibration.fit_quantiser(np.ones((1, 2), np.float32))
    inputs = calibration.representative_inputs(quantiser, np.ones((1, 2), np.float32), 100)
    assert (inputs.min(), inputs.max()) == (-128, 127)


@pytest.mark.parametrize("constant", [0.0, 1.0, -3e8, 1e-20])
def test_constant_features_are_usable(constant):
    observations = np.full((10, 1), constant, np.float32)
    quantiser = calibration.fit_quantiser(observations)
    assert np.isfinite(quantiser.gain).all()
    q = np.asarray(calibration.quantise(observations, quantiser.gain, quantiser.offset))
    assert (np.abs(q) < 127).all()


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        (np.zeros((0, 4)), "N ≥ 1"),
        (np.zeros((3, 5)), r"\[N, 4\]"),
        (np.zeros(4), r"\[N, 4\]"),
        (np.array([[0, 0, np.nan, 0.0]]), r"observations\[0, 2\] is nan"),
        (np.array([["a", "b", "c", "d"]]), "expected float32"),
        (np.zeros((5, 6, 4)), r"write observations.reshape\(-1, 4\)"),
        (np.array([[0, 1e300, 0, 0.0]]), r"observations\[0, 1\] is 1e\+300: calibration needs finite float32"),
        ([[1, 2, 3, 4], [1, 2]], "observations are no array of numbers"),
        (np.ones((3, 4), bool), "observations are bool"),
        (None, r"shape \(\)"),
    ],
)
def test_unusable_observations(observations, message):
    with pytest.raises(UserError, match=message):
        calibration.check_observations(observations, 4)


@pytest.mark.parametrize("rows", [np.zeros((50, 4)), np.full((2, 4), 2.0), np.ones((1, 4))])
def test_rows_that_are_all_the_same_say_nothing_of_ranges(rows):
    with pytest.raises(UserError, match="calibration takes each feature's range from them"):
        calibration.check_range(rows)
    calibration.check_range(np.r_[rows, rows + 1])


def test_constant_features_are_remarked_on():
    rows = np.random.default_rng(0).normal(size=(9, 8))
    assert calibration.remarks(rows) == []
    rows[:, 1:8] = 3.5
    assert calibration.remarks(rows)[0].endswith("guesses: 1, 2, 3, 4, 5 and 2 more")


def test_ranges_beyond_float32_are_refused():
    tiny = np.random.default_rng(0).uniform(0, 1e-44, (100, 1)).astype(np.float32)
    with pytest.raises(UserError, match=r"observations\[:, 0\] span .*, too little for float32"):
        calibration.fit_quantiser(tiny)
    wide = calibration.fit_quantiser(np.array([[-3e38], [3e38]], np.float32))
    policy = MLPPolicy((np.full((1, 2), 2.0),), (np.zeros(2),))
    with pytest.raises(UserError, match="first layer's weights times the observations' range overflow"):
        calibration.fold(policy, wide)
