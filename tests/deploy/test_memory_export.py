"""An export whose policy remembers: what its files say and compute, step by step and along sequences."""

import json
import re
import shutil
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from variants import seldom

import edgerl
from benchmarks import equality
from edgerl import Box, UserError, deploy, simulate
from edgerl.deploy import int8_policy, serial, toolchain, vectors
from edgerl.deploy.machines import wasm
from edgerl.deploy.ops import OPERATORS, Add
from edgerl.envs.policy_file import save_policy
from tests.envs.test_gru import random_policy

FEATURES, UNITS, ACTIONS = 2, 6, 2
EPISODES = np.random.default_rng(1).normal(size=(40, 50, FEATURES)).astype(np.float32)


def policy_of(front=(5,), activation="tanh", space=None, seed=0, behind=(7,)):
    return random_policy(front, FEATURES, UNITS, ACTIONS, activation, space, seed, behind)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory") / "recall"
    return folder, deploy.export(policy_of(), EPISODES, folder, name="recall", env="PositionOnlyCartPole-v1")


def answers(player, observations):
    """Scores of a sequence, from its start on."""
    return int8_policy.in_sequence(player, observations)[:, :ACTIONS]


def test_it_is_verified(exported):
    found = deploy.verify(exported[0], 6_000, targets=("host C", "rv32imc", "WebAssembly", "ATmega328P"))
    assert found["passed"], found
    assert {check["differences"] for check in found["checks"] if "differences" in check} == {0}
    assert {"TFLM", "host C", "page"} <= {check["name"] for check in found["checks"] if "differences" in check}


@pytest.mark.parametrize("seed", [0, *seldom(1)])
def test_random_networks(seed):
    """TFLM, host C and rv32imc in sequences whose memory begins anew now and then."""
    rng = np.random.default_rng(seed)
    found = equality.compare(equality.random_gru(rng), rng, 500)
    assert {value for value in found.values() if not isinstance(value, str)} == {0}
    assert found["host C"] == 0


@pytest.mark.parametrize("activation", ["relu", "relu6", "tanh", "sigmoid"])
def test_it_decides_as_the_float_policy_does(activation):
    """The layer in front is brought between -1 and 1, whatever its activation is."""
    policy = policy_of((8, 7), activation)
    player = deploy.quantise(policy, EPISODES)

    def along(player):
        def step(state, obs):
            action, state = player(None, obs, state)
            return state, action

        return jax.vmap(lambda rows: jax.lax.scan(step, player.initial_state(), rows)[1])(jnp.asarray(EPISODES))

    assert np.mean(np.asarray(along(player)) == np.asarray(along(policy))) > 0.9
    assert player.sizes == policy.sizes


def test_what_the_files_say(exported):
    folder, report = exported
    header, code = (folder / "recall.h").read_text(), (folder / "recall.c").read_text()
    assert "int recall_step(recall_state *state, const float obs[RECALL_FEATURES]);" in header
    assert "void recall_reset(recall_state *state);" in header
    assert "#define RECALL_MEMORY 6\n" in header
    assert "recall_reset(&state); ... before each episode ..." in header
    assert "recall_act" not in header
    assert re.findall(r"^static (?!const|inline)[^(\n]*(?:;|=)", code, re.MULTILINE) == []  # nothing is kept
    assert "malloc" not in code
    assert report["policy"]["sizes"] == [FEATURES, 5, UNITS, 7, ACTIONS]
    assert report["fidelity"]["agreement"] > 0.9
    assert "recall_tflm_step(recall_state* state" in (folder / "tflm" / "recall_tflm.cc").read_text()
    assert "begins with `start:`" in (folder / "README.md").read_text()


def test_the_simulator_carries_its_memory(exported):
    player = deploy.load(exported[0])
    played = simulate("PositionOnlyCartPole-v1", player, jax.random.key(0), num_envs=1, num_steps=8, trajectory=True)
    first = np.asarray(played.trajectory.obs)[:, 0]
    ended = np.asarray(played.trajectory.terminated)[:, 0]
    length = int(np.argmax(ended)) + 1 if ended.any() else len(first)
    expected = answers(player, first[:length]).argmax(axis=1)
    np.testing.assert_array_equal(np.asarray(played.trajectory.action)[:length, 0], expected)


class Forgetful:
    """A line of which now and then an answer is lost, after the chip has decided."""

    def __init__(self, line):
        self._line, self._count = line, 0

    def write(self, data):
        self._line.write(data)

    def readline(self, seconds):
        answer = self._line.readline(seconds)
        self._count += bool(answer)
        return b"" if answer and self._count % 4 == 0 else answer


@pytest.mark.skipif(serial.missing() is not None, reason=str(serial.missing()))
def test_the_example_on_an_emulated_chip(exported):
    """A question that is asked again is one step; an episode begins without memory."""
    player, rows = deploy.load(exported[0]), EPISODES[0, :25]
    expected = answers(player, rows).argmax(axis=1)
    with serial.emulated_chip(exported[0]) as chip:
        assert chip.remembers
        np.testing.assert_array_equal(chip.act(rows, start=True), expected)
        chip.line = Forgetful(chip.line)
        np.testing.assert_array_equal(chip.act(rows, start=True), expected)
        assert chip.record.lost > 4


@pytest.mark.skipif(bool(toolchain.missing("node") or wasm.missing()), reason="no Node.js, or no compiler for it")
def test_the_page_carries_its_memory(exported, tmp_path):
    """By the functions that the page calls: an episode, forgotten, and the same again; each decided about twice."""
    folder, rows = exported[0], EPISODES[1, :30]
    program = wasm.build(folder, "recall", tmp_path)
    template = toolchain.harness("vectors.mjs").replace("harness/vectors.mjs", "templates/demo/policy.mjs")
    about = {"name": "recall", "features": FEATURES, "actions": ACTIONS, "scoreBytes": 1, "continuous": False}
    (tmp_path / "play.mjs").write_text(f"""
import fs from 'node:fs';
import {{openPolicy}} from {json.dumps(template)};
const policy = await openPolicy(fs.readFileSync({json.dumps(str(program))}), {json.dumps({**about, "units": UNITS})});
const rows = {json.dumps(rows.astype(float).tolist())};
const said = [];
for (let episode = 0; episode < 2; episode++) {{
  policy.forget();
  for (const row of rows) {{
    policy.view(Float32Array, policy.at.obs, {FEATURES}).set(row);
    policy.decide();
    said.push([...policy.decide().scores]);
    policy.advance();
  }}
}}
console.log(JSON.stringify(said));
""")
    done = subprocess.run(["node", str(tmp_path / "play.mjs")], capture_output=True, text=True, check=True)
    expected = answers(deploy.load(folder), rows)
    np.testing.assert_array_equal(json.loads(done.stdout), np.concatenate([expected, expected]))


def test_the_self_test_tells_another_memory(exported, tmp_path):
    folder, _ = exported
    text = (folder / "recall.c").read_text()
    (tmp_path / "recall.h").write_text((folder / "recall.h").read_text())
    changed = text.replace("(reset[i] + 128) * (int32_t)memory[i]", "(reset[i] + 127) * (int32_t)memory[i]")
    assert changed != text
    changed = changed.replace("saturated(part + unit.share_zero)", "saturated(part + 3 + unit.share_zero)")
    (tmp_path / "recall.c").write_text(changed)
    program = toolchain.compile_program(toolchain.HOST, tmp_path, tmp_path, "recall")
    form = toolchain.Form(FEATURES + UNITS, ACTIONS + UNITS, units=UNITS)
    with pytest.raises(toolchain.ToolError, match=r"ended with [1-9]"):
        toolchain.run_program(toolchain.HOST, program, np.zeros((3, form.features), np.float32), form)


def test_another_float_policy_is_told(exported, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(exported[0], folder)
    policy = policy_of()
    gate = np.array(policy.kernels[2])
    gate[0, 0] += 0.5
    save_policy(folder / "recall.npz", policy.replace(kernels=(*policy.kernels[:2], gate, *policy.kernels[3:])))
    found = {check["name"]: check["passed"] for check in deploy.verify(folder, 10, targets=())["checks"]}
    assert found["float policy"] is False
    save_policy(folder / "recall.npz", random_policy((5,), FEATURES, 4, ACTIONS, behind=(7,)))
    found = {check["name"]: check["passed"] for check in deploy.verify(folder, 10, targets=())["checks"]}
    assert found["float policy"] is False


def test_a_network_of_other_operations_is_refused(exported, tmp_path):
    arrays = dict(np.load(exported[0] / "recall_int8.npz"))
    rows = arrays["operations"].copy()
    addition = rows[:, 0] == OPERATORS.index(Add)
    rows[addition, 1] = rows[addition, 2]  # the sum of the share and itself
    np.savez(tmp_path / "policy_int8.npz", **{**arrays, "operations": rows})
    with pytest.raises(UserError, match=r"is not an int8 policy .*no network with a gated recurrent unit"):
        deploy.load(tmp_path / "policy_int8.npz")


@pytest.mark.long
def test_continuous_actions(tmp_path):
    policy = policy_of((), behind=(), space=Box((-2.0, 0.0), (2.0, 0.3), (2,)))
    deploy.export(policy, EPISODES, tmp_path / "arm", name="arm")
    header = (tmp_path / "arm" / "arm.h").read_text()
    assert "void arm_step(arm_state *state, const float obs[ARM_FEATURES], float action[ARM_ACTIONS]);" in header
    found = deploy.verify(tmp_path / "arm", 3000, targets=("host C", "WebAssembly"))
    assert found["passed"], found
    assert {check["differences"] for check in found["checks"] if "differences" in check} == {0}


@pytest.mark.long
def test_one_export_leaves_the_next_one_alone(exported, tmp_path):
    """Files of a policy without memory are the same before and after one with memory was exported."""
    policy, rows = edgerl.MLPPolicy((np.eye(2),), (np.zeros(2),)), EPISODES[0]
    for number in range(2):
        deploy.export(policy, rows, tmp_path / str(number))
        deploy.export(policy_of(), EPISODES, tmp_path / f"memory{number}")
    names = ("policy_tflm.cc", "policy_tflm.h")
    assert [(tmp_path / "0" / "tflm" / n).read_text() for n in names] == [
        (tmp_path / "1" / "tflm" / n).read_text() for n in names
    ]
    assert "policy_tflm_act" in (tmp_path / "1" / "tflm" / "policy_tflm.cc").read_text()
    assert "MEMORY" not in (tmp_path / "1" / "tflm" / "policy_tflm.cc").read_text()


@pytest.mark.parametrize(
    "observations",
    [EPISODES[0], np.zeros((10, FEATURES + UNITS + 1)), EPISODES[:, :, :1], np.zeros((2, 3, 4, FEATURES))],
)
def test_observations_that_are_no_episodes_are_one_line(observations):
    with pytest.raises(UserError, match=r"expected \[episodes, steps, 2\], since the policy remembers"):
        deploy.quantise(policy_of(), observations)


def test_half_of_the_vectors_are_sequences(exported):
    """So that `verify` compares steps from memories that the steps before leave, hostile observations among them."""
    folder, _ = exported
    deployed, kept = int8_policy.read(folder), np.load(folder / "observations.npz")["observations"]
    rows = vectors.for_policy(deployed.policy, deployed.quantiser, kept, 2_000)
    _, written = int8_policy.evaluate(deployed.policy, rows)
    follows = (rows[1:, FEATURES:] == written[:-1, ACTIONS:].astype(np.float32) / 128).all(axis=1)
    assert follows[500:999].all()
    assert follows[1500:].all()
    assert not np.isfinite(rows[500:1000]).all()
    assert np.mean(follows[:499]) < 0.1
    own = vectors.make(deployed.quantiser, kept, 2_000, units=UNITS)
    np.testing.assert_array_equal(rows[:500], own[:500])
    np.testing.assert_array_equal(rows[:, :FEATURES], own[:, :FEATURES])


@pytest.mark.long
def test_random_continuous_networks():
    rng = np.random.default_rng(5)
    form = equality.random_form(rng)
    space = equality.random_box(rng, form.actions)
    found = equality.compare(equality.random_gru(rng, form, space), rng, 300, space)
    assert {value for value in found.values() if not isinstance(value, str)} == {0}
