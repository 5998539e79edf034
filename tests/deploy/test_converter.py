"""TensorFlow's converter, through jax2tf, makes of a policy the integers that our quantiser makes."""

import numpy as np
import pytest

from edgerl import UserError, deploy
from edgerl.deploy import calibration, converter, fidelity, perceptron, tflite_file
from edgerl.util import files


@pytest.mark.parametrize(
    ("hidden", "activation", "per_channel"),
    [
        ((64, 64), "relu", False),
        pytest.param((9, 5), "tanh", True, marks=pytest.mark.long),
        pytest.param((7,), "relu6", False, marks=pytest.mark.long),
    ],
)
def test_the_converter_agrees(make_policy, observations, hidden, activation, per_channel):
    policy = make_policy(hidden, activation)
    quantiser = calibration.fit_quantiser(observations)
    inputs = calibration.representative_inputs(quantiser, observations, 300)
    made = perceptron.quantised(policy, quantiser, inputs, per_channel)
    folded = calibration.fold(policy, quantiser)
    model = converter.convert(folded, inputs.astype(np.float32) / 128, per_channel)
    assert fidelity.difference(tflite_file.read(model), made) is None
    other = perceptron.quantised(policy, quantiser, inputs[:30], per_channel)
    assert "layer" in fidelity.difference(tflite_file.read(model), other)


@pytest.mark.long
def test_verify_asks_it(copy):
    """Of another calibration, whose hash and scales do not fit either."""
    arrays = dict(files.read_npz(copy / "observations.npz"))
    arrays["calibration"] = arrays["calibration"][:20]
    files.write_npz(copy / "observations.npz", arrays)
    checks = {check["name"]: check for check in deploy.verify(copy, num_vectors=10, converter=True)["checks"]}
    assert "its converter disagrees: " in checks["TensorFlow"]["detail"]
    assert checks["float policy"]["passed"] is False


def test_a_missing_tensorflow_is_said(make_policy, monkeypatch, tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError(\"No module named 'tensorflow'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UserError, match="this check needs TensorFlow: pip install"):
        converter.convert(make_policy((3,), "relu"), np.zeros((2, 4), np.float32))


def test_without_tensorflow_verify_compares_the_rest(copy, monkeypatch, tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError(\"No module named 'tensorflow'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = deploy.verify(copy, num_vectors=10, converter=True, targets=["host C"])
    checks = {check["name"]: check for check in found["checks"]}
    assert (checks["TensorFlow"]["passed"], checks["host C"]["passed"]) == (None, True)
    assert found["passed"]
