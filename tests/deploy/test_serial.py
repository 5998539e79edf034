"""A simulator on one side, the emulated chip on the other."""

import hashlib
import json
import os
import pty
import select
import subprocess
import threading
import tty

import boards
import jax
import numpy as np
import pytest

from benchmarks.equality import random_network
from edgerl import UserError, cli, deploy, make
from edgerl.deploy import c_source, calibration, int8_policy, names, serial, tflite_file, toolchain
from edgerl.deploy.int8_policy import Deployed
from edgerl.deploy.targets import esp_idf
from edgerl.deploy.targets.example import of_policy

MISSING = serial.missing()


def test_an_answer_that_is_none_is_an_error():
    class Line:
        """Says what it was told to, a line each time."""

        def __init__(self, *answers):
            self.sent, self.answers = [], list(answers)

        def write(self, data):
            self.sent.append(data)

        def readline(self, seconds):
            return self.answers.pop(0) if self.answers else b""

    line = Line(b"action: 3*%02X\n" % serial.checksum("action: 3"))
    chip = serial.Chip(line)
    assert chip.act(np.array([[0.1, -2.0]], np.float32)).tolist() == [3]
    assert line.sent == [b"obs: [0.100000001 -2]*%02X\n" % serial.checksum("obs: [0.100000001 -2]")]
    with pytest.raises(toolchain.ToolError, match="the chip answered b'' to"):
        chip.act(np.zeros((1, 2), np.float32))
    assert chip.record.lost == 20


@pytest.fixture(scope="module")
def program(exported, tmp_path_factory):
    """The ESP-IDF example of an export, built for this host."""
    return boards.esp_idf(exported[1] / "esp_idf", tmp_path_factory.mktemp("chip"))


def _lossy_board(program, port, stop, reset_after):
    """Between a pseudo-terminal and the program: one byte in 400 is lost, one in 400 damaged; one reset."""
    rng, chip, asked = np.random.default_rng(0), None, 0
    while not stop.is_set():
        if chip is None:
            chip = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        ready = select.select([port, chip.stdout], [], [], 0.05)[0]
        if port in ready:
            data = os.read(port, 4096)
            asked += data.count(b"\n")
            chip.stdin.write(_damaged(rng, data))
        if chip.stdout in ready:
            os.write(port, _damaged(rng, chip.stdout.read(4096)))
        if asked > reset_after:
            _end(chip)
            chip, reset_after = None, 10**9
    if chip is not None:
        _end(chip)


def _end(chip):
    chip.kill()
    chip.communicate()


def _damaged(rng, data):
    kept = [byte ^ (1 if rng.random() < 1 / 400 else 0) for byte in data if rng.random() > 1 / 400]
    return bytes(kept)


def test_a_line_that_loses_bytes(exported, program, observations):
    """Every decision is that of the policy; what was lost, damaged or begun anew is counted."""
    controller, port = pty.openpty()
    tty.setraw(port)
    stop = threading.Event()
    thread = threading.Thread(target=_lossy_board, args=(program, controller, stop, 60))
    thread.start()
    try:
        with serial.board(os.ttyname(port)) as chip:
            actions = chip.act(observations[:150])
            said = chip.record.summary()
    finally:
        stop.set()
        thread.join()
        os.close(controller)
        os.close(port)
    _, scores = int8_policy.evaluate(deploy.load(exported[1]), observations[:150])
    np.testing.assert_array_equal(actions, scores.argmax(axis=1))
    assert said["decisions"] == 150
    assert said["lost"] + said["checksum_errors"] > 5
    assert said["resets"] <= 1
    assert said["round_trip_ms"]["median"] > 0


def test_a_port_that_is_not_there():
    with pytest.raises(UserError, match="cannot open the port /dev/nothing"), serial.board("/dev/nothing"):
        pass


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_the_command(exported, capsys):
    assert cli.main(["serial", str(exported[1]), "--env", "CartPole-v0", "--episodes", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["env"], said["episodes"], said["resets"]) == ("CartPole-v0", 1, 0)
    assert said["decisions"] >= 8


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

    remembers = False

    def __init__(self, policy):
        self._policy = policy

    def act(self, observations, start=False):
        return int8_policy.evaluate(self._policy, observations)[1].argmax(axis=1).astype(np.int32)


def _write_project(folder, deployed, model):
    observations = np.zeros((2, 4), np.float32)
    _, scores = int8_policy.evaluate(deployed.policy, observations)
    vectors = c_source.TestVectors(observations, scores, scores.argmax(axis=1))
    sources = c_source.generate(deployed, c_source.Origin(hashlib.sha256(model).hexdigest()), vectors)
    example = of_policy(None).named(names.words("policy", ""))
    for name, text in esp_idf.generate(sources, "policy", example, "").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
