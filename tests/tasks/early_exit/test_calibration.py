import jax
import numpy as np
import pytest

from edgerl.tasks.early_exit.table.calibration import HIGHEST, LOWEST, expected_calibration_error, fit_temperatures


def sampled(temperatures, images=20_000, classes=10):
    """Logits whose honest temperature at each exit is known: labels are drawn from softmax(logits / temperature)."""
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(images, classes)).astype(np.float32) * 2
    labels = (honest + rng.gumbel(size=honest.shape)).argmax(-1).astype(np.int32)
    return np.stack([honest * t for t in temperatures], axis=1).astype(np.float32), labels


def test_the_known_temperature_is_found():
    logits, labels = sampled([0.5, 1.0, 3.0])
    np.testing.assert_allclose(fit_temperatures(logits, labels), [0.5, 1.0, 3.0], rtol=0.03)


def test_mean_probability_is_the_accuracy():
    logits, labels = sampled([2.0, 0.7], images=500)
    found = np.asarray(fit_temperatures(logits, labels))
    sure = np.asarray(jax.nn.softmax(logits / found[:, None])).max(-1).mean(0)
    np.testing.assert_allclose(sure, (logits.argmax(-1) == labels[:, None]).mean(0), atol=1e-5)


def test_right_or_wrong_every_time_ends_at_the_bounds():
    logits = np.tile(np.array([1.0, 0.0], np.float32), (50, 2, 1))
    labels = np.zeros(50, np.int32)
    np.testing.assert_allclose(fit_temperatures(logits, labels), LOWEST, rtol=1e-3)
    np.testing.assert_allclose(fit_temperatures(-logits, labels), HIGHEST, rtol=1e-3)


def test_calibration_error_by_hand():
    # Bin of 0.8: sure 0.8, right 1/2 of 2. Bin of 0.3: sure 0.3, right 1 of 1.
    probability = np.array([[0.8], [0.8], [0.3]])
    correct = np.array([[True], [False], [True]])
    expected = 2 / 3 * abs(0.8 - 0.5) + 1 / 3 * abs(0.3 - 1.0)
    np.testing.assert_allclose(expected_calibration_error(probability, correct), [expected])


@pytest.mark.parametrize("probability", [0.0, 1 / 15, 1.0])
def test_the_edges_of_bins_belong_somewhere(probability):
    error = expected_calibration_error(np.full((4, 2), probability), np.zeros((4, 2), bool))
    np.testing.assert_allclose(error, probability)


def test_the_right_temperature_lowers_the_error():
    logits, labels = sampled([3.0])

    def error(t):
        p = np.asarray(jax.nn.softmax(logits / t))
        return float(expected_calibration_error(p.max(-1), p.argmax(-1) == labels[:, None])[0])

    assert error(1.0) > 0.1
    assert error(float(fit_temperatures(logits, labels)[0])) < 0.01
