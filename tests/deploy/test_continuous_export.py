"""An export whose actions are a box's: what its files say and compute, and what is refused."""

import dataclasses
import itertools
import json
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl import Box, MLPPolicy, UserError, deploy, make
from edgerl.deploy import box_actions, serial, toolchain, vectors

BOX = Box((-2.0, 0.0), (2.0, 0.3), (2,))


def policy_of(sizes=(3, 32, 32, 2), space=BOX, seed=0, activation="relu"):
    """Random weights whose outputs reach both ends of their range, and lie between them as well."""
    rng = np.random.default_rng(seed)
    kernels = [rng.normal(size=pair).astype(np.float32) / pair[0] ** 0.5 for pair in itertools.pairwise(sizes)]
    biases = tuple(rng.normal(size=n).astype(np.float32) * 0.1 for n in sizes[1:])
    return MLPPolicy((*kernels[:-1], 3 * kernels[-1]), biases, activation, space)


@dataclasses.dataclass(frozen=True)
class Arm:
    """Enough of an environment for an export to name it."""

    id: str = "Arm-v0"
    default_params: None = None
    space: Box = BOX
    action_names: tuple[str, ...] = ("shoulder torque, N m", "grip, N")

    def observation_space(self, params=None):
        return Box(-10.0, 10.0, (3,))

    def action_space(self, params=None):
        return self.space


@pytest.fixture(scope="module")
def seen():
    return np.random.default_rng(1).normal(size=(3000, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, seen):
    folder = tmp_path_factory.mktemp("box") / "arm"
    return folder, deploy.export(policy_of(), seen, folder, name="arm", env=Arm())


def test_it_is_verified(exported):
    found = deploy.verify(exported[0], 20_000, targets=("host C", "rv32imc", "WebAssembly", "ATmega328P"))
    assert found["passed"], found
    assert {check["differences"] for check in found["checks"] if "differences" in check} == {0}
    compared = {check["name"] for check in found["checks"] if "differences" in check}
    assert {"TFLM", "host C"} <= compared


def test_what_the_files_say(exported):
    folder, report = exported
    header = (folder / "arm.h").read_text()
    assert "void arm_act(const float obs[ARM_FEATURES], float action[ARM_ACTIONS]);" in header
    assert "[0] shoulder torque, N m: -2 to 1.984, step 0.015625" in header
    assert "[1] grip, N: 0 to 0.2988" in header
    assert "argmax" not in header
    assert "arm_action(outputs, action)" in (folder / "tflm" / "arm_tflm.cc").read_text()
    assert "action: [0 0]" in (folder / "README.md").read_text()
    assert report["policy"]["actions"] == {"low": [-2.0, 0.0], "high": [2.0, pytest.approx(0.3)]}
    assert report["quantisation"]["layers"][-1]["output_scale"] == 1 / 128
    assert 0 < report["fidelity"]["error"]["mean"] < 2
    assert report["fidelity"]["saturated"] > 0
    loaded = deploy.load(folder)
    assert isinstance(loaded.space, Box)
    code = (folder / "arm.c").read_text()
    statics = re.findall(r"^static (?!const|inline)[^(\n]*(?:;|=)", code, re.MULTILINE)
    assert statics == []
    assert "malloc" not in code


def test_actions_of_any_observation_stay_inside_and_reach_both_ends(exported, seen):
    player = deploy.load(exported[0])
    obs = vectors.make(deploy.calibration.fit_quantiser(seen), seen, 8000)
    assert not np.isfinite(obs).all()
    scores = np.asarray(player.scores(player.quantise(obs)))
    assert (scores.min(), scores.max()) == (-128, 127)
    actions = np.asarray(jax.jit(lambda o: player(None, o))(obs))
    low, high = BOX.bounds()
    assert (actions.shape, actions.dtype) == ((8000, 2), np.float32)
    assert np.isfinite(actions).all()
    assert ((actions >= low) & (actions <= high)).all()
    np.testing.assert_array_equal(actions.min(axis=0), low)


def test_int8_actions_are_near_the_float_ones(seen):
    policy = policy_of(seed=3)
    player = deploy.quantise(policy, seen)
    float_actions, int8_actions = (np.asarray(p(None, jnp.asarray(seen))) for p in (policy, player))
    width = np.subtract(*reversed(BOX.bounds()))
    assert (np.abs(float_actions - int8_actions) / width).mean() < 0.02


def test_the_self_test_tells_another_action(exported, tmp_path):
    folder, _ = exported
    text = (folder / "arm.c").read_text()
    (tmp_path / "arm.h").write_text((folder / "arm.h").read_text())
    changed = re.sub(r"(action_step\[ARM_ACTIONS\] = \{\s*)(\d+)", lambda m: f"{m[1]}{int(m[2]) - 1}", text)
    assert changed != text
    (tmp_path / "arm.c").write_text(changed)
    program = toolchain.compile_program(toolchain.HOST, tmp_path, tmp_path, "arm")
    with pytest.raises(toolchain.ToolError, match=r"ended with [1-9]"):
        toolchain.run_program(
            toolchain.HOST, program, np.zeros((3, 3), np.float32), toolchain.Form(3, 2, np.int8, True)
        )


@pytest.mark.skipif(serial.missing() is not None, reason=str(serial.missing()))
def test_the_example_on_an_emulated_chip(exported, seen):
    player = deploy.load(exported[0])
    with serial.emulated_chip(exported[0]) as chip:
        answers = chip.act(seen[:30])
    np.testing.assert_array_equal(answers, box_actions.q15(player.scores(player.quantise(seen[:30]))))
    with pytest.raises(toolchain.ToolError, match="takes actions of Discrete"):
        serial.play(_Answers(answers[:1]), make("CartPole-v1"), jax.random.key(0), 1)


class _Answers:
    """A chip that always says the same."""

    remembers = False

    def __init__(self, answers):
        self._answers = answers

    def act(self, observations, start=False):
        return self._answers


def test_other_sides_are_another_policy(exported, tmp_path):
    """Whoever changes the box in the float policy or in the int8 one is told."""
    folder = tmp_path / "copy"
    shutil.copytree(exported[0], folder)
    arrays = dict(np.load(folder / "arm.npz"))
    np.savez(folder / "arm.npz", **{**arrays, "high": np.float32([2.0, 0.5])})
    found = {check["name"]: check["passed"] for check in deploy.verify(folder, 10, targets=())["checks"]}
    assert found["float policy"] is False
    assert found["report"] is False
    arrays = dict(np.load(folder / "arm_int8.npz"))
    for wrong in ({"high": np.float32([2.0])}, {"high": np.float32([-3, -3])}, {"high": np.float32([2, np.inf])}):
        np.savez(folder / "arm_int8.npz", **{**arrays, **wrong})
        with pytest.raises(UserError, match="arm_int8"):
            deploy.load(folder / "arm_int8.npz")


@pytest.mark.parametrize(
    ("space", "argmax", "says"),
    [
        (BOX, "accumulators", "argmax is for discrete actions"),
        (Box(0.0, 1.0, (2,)), "outputs", "its actions are of Box.*Arm-v0 has.*actions of Box"),
        (None, "outputs", "2 actions, but Arm-v0 has observations of shape .* and no discrete actions"),
        (Box(1e6, 1e6 + 1, (2,)), "outputs", "cannot divide into 256 steps"),
    ],
)
def test_what_cannot_be_exported(space, argmax, says, seen, tmp_path):
    env = Arm(space=space) if space and says.startswith("cannot") else Arm()
    with pytest.raises(UserError, match=says) as caught:
        deploy.export(policy_of(space=space), seen, tmp_path / "out", env=env, argmax=argmax)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_report_is_json(exported):
    assert json.loads((exported[0] / "report.json").read_text())["c"]["rv32imc"]
