"""Exporting and verifying whole folders. One export is shared."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from boards import answers, arduino, esp_idf

from edgerl import MLPPolicy, UserError, deploy, make
from edgerl.deploy import exporting, fidelity, int8_policy, machines, toolchain
from edgerl.deploy.machines import wasm
from edgerl.envs.policy import same
from edgerl.envs.policy_file import load_policy

QUICK = ("host C", "rv32imc")  # of the machines that run the C


def test_the_folder_has_what_was_promised(exported):
    policy, folder, report = exported
    assert {path.name for path in folder.iterdir()} == {
        *("policy_int8.tflite", "policy_model_data.h", "policy_model_data.cc", "policy.h", "policy.c"),
        *(
            "policy.npz",
            "policy_int8.npz",
            "observations.npz",
            "esp_idf",
            "arduino",
            "tflm",
            "report.json",
            "README.md",
        ),
        *(["demo"] if wasm.missing() is None else []),
    }
    assert json.loads((folder / "report.json").read_text()) == report
    assert same(load_policy(folder / "policy.npz"), policy)
    assert not list(folder.parent.glob(".*"))  # no temporary folder is left


def test_the_report(exported):
    report = exported[2]
    assert report["size"]["tflite"] <= 7472
    assert 1000 < report["size"]["tflm_arena"] < 4000
    assert report["policy"] == {
        "sizes": [4, 64, 64, 2],
        "activation": "relu",
        "actions": "discrete",
        "multiply_accumulates": 4480,
    }
    assert report["environment"]["id"] == "CartPole-v1"
    assert report["environment"]["params"]["force_mag"] == 10.0
    assert report["fidelity"]["observations"] == 800
    assert report["fidelity"]["agreement"] > 0.95
    assert report["fidelity"]["agreement_beyond_margin"] > 0.97
    if toolchain.RV32.missing("qemu-system-riscv32") is None:
        assert report["c"]["instructions"]["decide"]["max"] <= 16_000
        assert report["c"]["rv32imc"]["total"] < 8192
    if machines.CORTEX_M4F.missing() is None:
        # An M0 has no high product and no instruction that multiplies and adds.
        m0, m4f = (report["c"][f"instructions_cortex_{word}"]["decide"]["mean"] for word in ("m0", "m4f"))
        assert 1.1 * m4f < m0 < 4 * m4f


def test_the_header_tells_where_it_is_from(exported):
    text = (exported[1] / "policy.h").read_text()
    assert "CartPole-v1" in text
    assert "force_mag = 10.0" in text
    assert exported[2]["files"]["policy_int8.tflite"] in text


def test_the_deployed_policy_runs_where_a_policy_does(exported, observations):
    deployed = deploy.load(exported[1])
    actions = jax.jit(jax.vmap(deployed, in_axes=(None, 0)))(jax.random.key(0), observations)
    assert actions.dtype == np.int32
    _, scores = int8_policy.evaluate(deployed, observations)
    np.testing.assert_array_equal(actions, scores.argmax(axis=1))


def test_few_observations_odd_sizes_and_accumulators(tmp_path, make_policy):
    policy = make_policy((5, 3), "sigmoid")
    report = deploy.export(policy, np.eye(2, 4, dtype=np.float32), tmp_path / "out", argmax="accumulators")
    assert report["environment"] is None
    assert report["quantisation"]["argmax"] == "accumulators"
    assert "typedef int32_t policy_score;" in (tmp_path / "out" / "policy.h").read_text()
    verified = deploy.verify(tmp_path / "out", num_vectors=2000, targets=QUICK)
    assert verified["passed"]
    assert "of the int8 outputs" in next(c["detail"] for c in verified["checks"] if c["name"] == "TFLM")


def test_other_input_that_is_refused(exported, tmp_path, observations):
    policy = exported[0]
    with pytest.raises(UserError, match="exists already"):
        deploy.export(policy, observations, exported[1])
    nan = observations.copy()
    nan[7, 1] = np.nan
    with pytest.raises(UserError, match=r"observations\[7, 1\] is nan"):
        deploy.export(policy, nan, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(UserError, match="needs one scale for all outputs"):
        deploy.export(policy, observations, tmp_path / "new", per_channel=True, argmax="accumulators")
    with pytest.raises(UserError, match="argmax is 'inputs'"):
        deploy.export(policy, observations, tmp_path / "new", argmax="inputs")


def test_tensorflow_stays_out(exported):
    program = (
        "import sys; from edgerl import deploy; deploy.load(sys.argv[1]); "
        "deploy.verify(sys.argv[1], num_vectors=10, targets=['host C']); "
        "assert not [m for m in sys.modules if m.split('.')[0] in ('tensorflow', 'tflite_micro')]"
    )
    subprocess.run([sys.executable, "-c", program, str(exported[1])], check=True)


def test_the_packages(exported):
    """Copies of the source that are the source; a manifest that names the version; the examples' parser works."""
    _, folder, report = exported
    source = (folder / "policy.c").read_bytes()
    component = folder / "esp_idf" / "components" / "edgerl_policy"
    library = folder / "arduino" / "EdgeRL_Policy"
    assert (component / "policy.c").read_bytes() == (library / "src" / "policy.c").read_bytes() == source
    assert f'version: "{report["edgerl"]}"' in (component / "idf_component.yml").read_text()
    assert json.loads((library / "library.json").read_text())["name"] == "EdgeRL_Policy"


def test_the_esp_idf_example_answers(exported, tmp_path):
    """Its main program, built for this host: the serial protocol in, the deployed policy's actions out."""
    _, folder, _ = exported
    observations = np.random.default_rng(0).normal(scale=0.2, size=(50, 4)).astype(np.float32)
    lines = [f"obs: [{' '.join(repr(float(v)) for v in row)}]" for row in observations]
    sent = "\n".join([*lines, "obs: [1 2 3]", "hello", ""])
    said = answers(esp_idf(folder / "esp_idf", tmp_path), sent)
    _, scores = int8_policy.evaluate(deploy.load(folder), observations)
    assert said[0].startswith("self-test: 0 of")
    assert said[1] == "cycles: 0 a decision"
    assert said[2:52] == [f"action: {a}" for a in scores.argmax(axis=1)]
    assert [line[:5] for line in said[52:]] == ["error", "error"]


def test_the_component_manager_packs_the_component(exported, tmp_path):
    compote = shutil.which("compote", path=str(Path(sys.executable).parent))
    if compote is None:
        pytest.skip("idf-component-manager (PyPI) is not installed")
    component = exported[1] / "esp_idf" / "components" / "edgerl_policy"
    work = tmp_path / "component"
    shutil.copytree(component, work)
    command = [compote, "-W", "component", "pack", "--name", "edgerl_policy", "--dest-dir", str(tmp_path / "dist")]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "dist").glob("edgerl_policy_*.tgz"))


STUBS = {
    "micro/micro_interpreter.h": """
        #include <cstddef>
        #include <cstdint>
        enum TfLiteStatus { kTfLiteOk, kTfLiteError };
        enum TfLiteType { kTfLiteInt8 = 9 };
        struct TfLiteIntArray { int size; int data[2]; };
        struct TfLiteTensor { TfLiteType type; union { int8_t* int8; } data; TfLiteIntArray* dims; };
        namespace tflite {
        struct Model { unsigned version() const; };
        const Model* GetModel(const void*);
        struct OpResolver {};
        struct MicroInterpreter {
          MicroInterpreter(const Model*, const OpResolver&, uint8_t*, size_t);
          TfLiteStatus AllocateTensors();
          TfLiteStatus Invoke();
          TfLiteTensor* input(size_t);
          TfLiteTensor* output(size_t);
          size_t arena_used_bytes() const;
        };
        }
        #define TFLITE_SCHEMA_VERSION (3)
        """,
    "micro/micro_mutable_op_resolver.h": """
        namespace tflite {
        template <unsigned n> struct MicroMutableOpResolver : OpResolver {
          TfLiteStatus AddFullyConnected();
          TfLiteStatus AddTanh();
          TfLiteStatus AddLogistic();
        };
        }
        """,
    "schema/schema_generated.h": "",
}


def test_the_tflm_variant_is_valid_cpp(exported, tmp_path):
    """Against a stub of TFLM's interface: the library itself is not to be had here."""
    for name, text in STUBS.items():
        path = tmp_path / "tensorflow" / "lite" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder = exported[1]
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I", tmp_path, "-I", folder, "-c"]
    for source in ("tflm/policy_tflm.cc", "policy_model_data.cc"):
        subprocess.run(["c++", *flags, folder / source, "-o", tmp_path / "out.o"], check=True)
    text = (folder / "tflm" / "policy_tflm.h").read_text()
    arena = int(re.search(r"kPolicyArenaBytes = (\d+)", text).group(1))
    assert arena >= 1.5 * exported[2]["size"]["tflm_arena"]
    assert arena % 16 == 0


def test_the_arduino_sketch_answers(exported, tmp_path):
    """Compiled for this host behind a stand-in for the serial port."""
    observations = np.random.default_rng(1).normal(scale=0.2, size=(20, 4)).astype(np.float32)
    sent = "".join(f"obs: [{', '.join(repr(float(v)) for v in row)}]\n" for row in observations) + "obs: 1 2 3 4\n"
    said = answers(arduino(exported[1], tmp_path), sent)
    _, scores = int8_policy.evaluate(deploy.load(exported[1]), observations)
    wanted = ["self-test: 0 of 6 failed", "cycles: 160 a decision", *(f"action: {a}" for a in scores.argmax(axis=1))]
    assert said == [*wanted, "error: expected obs: [ numbers ]"]


def test_a_broken_compiler_does_not_stop_an_export(exported, monkeypatch):
    """What cannot be measured is a sentence in the report."""
    monkeypatch.setattr(toolchain, "STRICT", ("-fno-such-option",))
    _, folder, _ = exported
    observations = np.zeros((3, 4), np.float32)
    measured = exporting.measure(folder, observations.astype(np.int8), observations)
    assert "failed" in measured["host C"]


def test_what_is_no_policy_or_environment_is_one_line(exported, observations, tmp_path):
    policy = exported[0]
    stack = jax.tree.map(lambda x: np.stack([x, x]), policy)
    for given, options, message in (
        (policy.logits, {}, "of type method, expected an edgerl.MLPPolicy"),
        (stack, {}, "this is a stack of policies"),
        (jax.tree.map(lambda x: x * np.inf, policy), {}, "expected finite float32"),
        (policy, {"env": "CartPole-v7"}, "unknown environment 'CartPole-v7'"),
        (policy, {"env": 3}, "env is a int without an id"),
        (policy, {"env": make("LatentNAS-v0")}, "the policy reads 4 features and has 2 actions, but LatentNAS-v0 has"),
        (
            policy,
            {"closed_loop": lambda player: {"returns": object()}},
            "closed_loop or inspect returned what JSON cannot hold",
        ),
    ):
        with pytest.raises(UserError, match=message) as caught:
            deploy.export(given, observations, tmp_path / "out", **options)
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())
    for rows in (np.zeros((50, 4)), observations[:1]):
        for function in (deploy.quantise, lambda *given: deploy.export(*given, tmp_path / "out")):
            with pytest.raises(UserError, match="calibration takes each feature's range"):
                function(policy, rows)


def test_a_policy_that_never_fires_is_remarked_on(make_policy, observations):
    policy = make_policy((6,), "relu")
    silent = policy.replace(biases=(policy.biases[0] - 100, policy.biases[1]))
    assert fidelity.silent_layers(policy, observations) == []
    assert "layer 0 never fires" in fidelity.silent_layers(silent, observations)[0]
    deploy.quantise(silent, observations)
    hopeless = policy.replace(biases=(policy.biases[0] - 1e9, policy.biases[1]))
    with pytest.raises(UserError, match=r"biases are too large .* layer 0 never fires on the observations"):
        deploy.quantise(hopeless, observations)


def test_an_observation_of_another_width_is_not_broadcast(exported):
    deployed = deploy.load(exported[1])
    for shape in ((1,), (7,), ()):
        with pytest.raises(UserError, match="reads 4 features, but the observation has shape"):
            deployed(None, np.zeros(shape, np.float32))


def test_weights_below_float32s_normal_numbers_are_refused(make_policy, observations):
    """Processors flush them to 0 or not, as they please."""
    policy = make_policy((6,), "relu")
    tiny = MLPPolicy([kernel * np.float32(1e-40) for kernel in policy.kernels], [np.zeros(6), np.zeros(2)])
    with pytest.raises(UserError, match="too small for float32"):
        deploy.quantise(tiny, observations)
