"""A simulator on one side, the emulated chip on the other."""

import hashlib
import io

import jax
import numpy as np
import pytest

from benchmarks.equality import random_network
from edgerl import UserError, make
from edgerl.deploy import c_source, calibration, int8_policy, names, serial, tflite_file, toolchain
from edgerl.deploy.int8_policy import Deployed
from edgerl.deploy.targets import esp_idf
from edgerl.deploy.targets.example import POLICY

MISSING = serial.missing()


def test_an_answer_that_is_none_is_an_error():
    sent = io.StringIO()
    chip = serial.Chip(sent, io.StringIO("action: 3\nerror: what?\n"))
    assert chip.act(np.array([[0.1, -2.0]], np.float32)).tolist() == [3]
    assert sent.getvalue() == "obs: [0.100000001 -2]\n"
    with pytest.raises(toolchain.ToolError, match="what"):
        chip.act(np.zeros((1, 2), np.float32))


def test_a_folder_that_is_no_export(tmp_path):
    with pytest.raises(UserError, match="no ESP-IDF project"), serial.emulated_chip(tmp_path):
        pass


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_episodes_are_those_of_the_deployed_policy(tmp_path):
    rng = np.random.default_rng(0)
    network = random_network(rng, (4, 9, 2))
    quantiser = calibration.fit_quantiser(rng.normal(size=(100, 4)).astype(np.float32))
    deployed = Deployed(network, quantiser)
    policy = deployed.policy
    _write_project(tmp_path, deployed, tflite_file.write(network))
    env = make("CartPole-v1")
    with serial.emulated_chip(tmp_path) as chip:
        observations = rng.normal(size=(40, 4)).astype(np.float32)
        _, scores = int8_policy.evaluate(policy, observations)
        np.testing.assert_array_equal(chip.act(observations), scores.argmax(axis=1))
        returns = serial.play(chip, env, jax.random.key(1), 3)
    in_jax = serial.play(_Deployed(policy), env, jax.random.key(1), 3)
    np.testing.assert_array_equal(returns, in_jax)


class _Deployed:
    """The policy in JAX, asked as a chip is."""

    def __init__(self, policy):
        self._policy = policy

    def act(self, observations):
        return int8_policy.evaluate(self._policy, observations)[1].argmax(axis=1).astype(np.int32)


def _write_project(folder, deployed, model):
    observations = np.zeros((2, 4), np.float32)
    _, scores = int8_policy.evaluate(deployed.policy, observations)
    vectors = c_source.TestVectors(observations, scores, scores.argmax(axis=1))
    sources = c_source.generate(deployed, c_source.Origin(hashlib.sha256(model).hexdigest()), vectors)
    example = POLICY.named(names.words("policy", ""))
    for name, text in esp_idf.generate(sources, "policy", example, "").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
