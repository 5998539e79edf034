"""Exporting and verifying whole folders. One conversion by TensorFlow is shared; it takes the most time."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from edgerl import UserError, deploy, make
from edgerl.core.policy import load_policy, same
from edgerl.deploy import calibration, exporting, flatbuffer, int8_policy, tflite, toolchain


@pytest.fixture(scope="module")
def exported(tmp_path_factory, make_policy, observations):
    """(policy, folder, report) of a 4-64-64-2 ReLU policy."""
    policy = make_policy((64, 64), "relu")
    folder = tmp_path_factory.mktemp("export") / "pole"
    return policy, folder, deploy.export(policy, observations, folder, env=make("CartPole-v1"))


@pytest.fixture
def copy(exported, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(exported[1], folder)
    return folder


def test_the_folder_has_what_was_promised(exported):
    policy, folder, report = exported
    assert {path.name for path in folder.iterdir()} == {
        *("policy_int8.tflite", "policy_model_data.h", "policy_model_data.cc", "policy.h", "policy.c"),
        *("policy.npz", "policy_int8.npz", "observations.npz", "esp_idf", "arduino", "tflm", "report.json"),
    }
    assert json.loads((folder / "report.json").read_text()) == report
    assert same(load_policy(folder / "policy.npz"), policy)
    assert not list(folder.parent.glob(".*"))  # no temporary folder is left


def test_the_report(exported):
    report = exported[2]
    assert report["size"]["tflite"] <= 7472
    assert 1000 < report["size"]["tflm_arena"] < 4000
    assert report["policy"] == {"sizes": [4, 64, 64, 2], "activation": "relu", "multiply_accumulates": 4480}
    assert report["environment"]["id"] == "CartPole-v1"
    assert report["environment"]["params"]["force_mag"] == 10.0
    assert report["fidelity"]["observations"] == 800
    assert report["fidelity"]["agreement"] > 0.95
    assert report["fidelity"]["agreement_beyond_margin"] > 0.97
    if toolchain.RV32.missing("qemu-system-riscv32") is None:
        assert report["c"]["instructions"]["decide"]["max"] <= 16_000
        assert report["c"]["rv32imc"]["total"] < 8192


def test_the_header_tells_where_it_is_from(exported):
    text = (exported[1] / "policy.h").read_text()
    assert "CartPole-v1" in text
    assert "force_mag = 10.0" in text
    assert exported[2]["files"]["policy_int8.tflite"] in text


def test_verify_finds_no_difference(exported):
    report = deploy.verify(exported[1], num_vectors=20_000)
    assert report["passed"]
    by_name = {check["name"]: check for check in report["checks"]}
    assert by_name["TFLM"]["differences"] == by_name["host C"]["differences"] == 0
    missing = toolchain.RV32.missing()
    assert by_name["rv32imc"]["passed"] is (True if missing is None else None)
    assert missing is None or missing in by_name["rv32imc"]["detail"]


def test_the_deployed_policy_runs_where_a_policy_does(exported, observations):
    deployed = deploy.load(exported[1])
    actions = jax.jit(jax.vmap(deployed, in_axes=(None, 0)))(jax.random.key(0), observations)
    assert actions.dtype == np.int32
    _, scores = int8_policy.evaluate(deployed, observations)
    np.testing.assert_array_equal(actions, scores.argmax(axis=1))


def test_conversion_is_byte_identical_remembered_and_per_channel_too(make_policy, observations, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    quantiser = calibration.fit_quantiser(observations)
    inputs = calibration.representative_inputs(quantiser, observations, 50)
    policy = calibration.fold(make_policy((6,), "tanh"), quantiser)
    first = tflite.convert(policy, inputs, per_channel=True)
    assert [len(layer.weight_scales) for layer in flatbuffer.read_network(first).layers] == [6, 2]
    assert tflite.convert(policy, inputs, per_channel=True, remembered=False) == first
    monkeypatch.setattr(tflite.sys, "executable", "/nonexistent")
    assert tflite.convert(policy, inputs, per_channel=True) == first
    for question in ((policy, inputs, False), (policy, inputs[1:], True)):
        with pytest.raises(FileNotFoundError):
            tflite.convert(*question)


def test_one_observation_odd_sizes_and_accumulators(tmp_path, make_policy):
    policy = make_policy((5, 3), "sigmoid")
    report = deploy.export(policy, np.zeros((1, 4), np.float32), tmp_path / "out", argmax="accumulators")
    assert report["environment"] is None
    assert report["quantisation"]["argmax"] == "accumulators"
    assert "typedef int32_t policy_score;" in (tmp_path / "out" / "policy.h").read_text()
    verified = deploy.verify(tmp_path / "out", num_vectors=2000)
    assert verified["passed"]
    assert "of the int8 outputs" in next(c["detail"] for c in verified["checks"] if c["name"] == "TFLM")


@pytest.mark.parametrize("name", ["policy.c", "policy.h"])
def test_changed_c_is_a_failed_check(copy, name):
    with (copy / name).open("a") as file:
        file.write("/* harmless */\n")
    report = deploy.verify(copy, num_vectors=100)
    failed = {check["name"] for check in report["checks"] if check["passed"] is False}
    assert not report["passed"]
    assert {"files", "host C"} <= failed
    assert "TFLM" not in failed


def test_a_changed_weight_is_found_even_with_a_fitting_hash(copy):
    """Whoever changes policy.c and its hash in the report alike is caught by the vectors."""
    text = (copy / "policy.c").read_text()
    start = text.index("bias_2[2] ALIGNED = {")
    changed = text[:start] + re.sub(r"-?\d+,", "9999,", text[start:], count=1)
    assert changed != text
    _replace(copy, "policy.c", changed.encode())
    report = deploy.verify(copy, num_vectors=2000)
    by_name = {check["name"]: check for check in report["checks"]}
    assert by_name["files"]["passed"] is True
    assert by_name["host C"]["passed"] is False


def test_a_changed_model_is_found(copy):
    data = bytearray((copy / "policy_int8.tflite").read_bytes())
    weights = flatbuffer.read_network(bytes(data)).layers[1].weights.tobytes()
    data[data.index(weights) + 100] ^= 1
    (copy / "policy_int8.tflite").write_bytes(data)
    report = deploy.verify(copy, num_vectors=100)
    failed = {check["name"] for check in report["checks"] if check["passed"] is False}
    assert failed == {"files", "model", "C array", "TFLM"}
    _replace(copy, "policy_int8.tflite", bytes(data))
    report = deploy.verify(copy, num_vectors=2000)
    by_name = {check["name"]: check for check in report["checks"]}
    assert by_name["files"]["passed"] is True
    assert by_name["TFLM"]["differences"] > 0


def _replace(folder, name, data):
    """Writes a file and its hash in the report."""
    import hashlib

    (folder / name).write_bytes(data)
    report = json.loads((folder / "report.json").read_text())
    report["files"][name] = hashlib.sha256(data).hexdigest()
    (folder / "report.json").write_text(json.dumps(report))


@pytest.mark.parametrize("damage", ["truncated", "foreign", "missing", "folder"])
@pytest.mark.parametrize("name", ["policy_int8.tflite", "policy_int8.npz", "report.json", "observations.npz"])
def test_unreadable_files_are_refused(copy, name, damage):
    path = copy / name
    data = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "foreign":
        path.write_bytes(b"not what it should be")
    elif damage == "folder":
        path.mkdir()
    with pytest.raises(UserError, match=re.escape(name)) as caught:
        deploy.verify(copy, num_vectors=100)
    assert len(str(caught.value).splitlines()) == 1


def test_other_input_that_is_refused(exported, copy, tmp_path, observations):
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
    with pytest.raises(UserError, match="is not a folder"):
        deploy.verify(tmp_path / "nowhere")
    with pytest.raises(UserError, match="at least 1"):
        deploy.verify(copy, num_vectors=0)
    report = json.loads((copy / "report.json").read_text())
    report["files"]["../outside"] = "0"
    (copy / "report.json").write_text(json.dumps(report))
    with pytest.raises(UserError, match="outside of the folder"):
        deploy.verify(copy)


def test_a_missing_cross_compiler_is_named(exported, monkeypatch):
    """Without the tools verify checks the rest, and says which packages bring them."""
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda tool, *a, **k: None if "riscv" in tool else real(tool, *a, **k))
    report = deploy.verify(exported[1], num_vectors=100)
    by_name = {check["name"]: check for check in report["checks"]}
    assert report["passed"]
    assert by_name["rv32imc"]["passed"] is None
    assert "gcc-riscv64-unknown-elf" in by_name["rv32imc"]["detail"]
    assert "qemu-user" in by_name["rv32imc"]["detail"]


def test_tensorflow_stays_out(exported):
    program = (
        "import sys; from edgerl import deploy; deploy.load(sys.argv[1]); "
        "deploy.verify(sys.argv[1], num_vectors=10); "
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
    project = folder / "esp_idf"
    component = project / "components" / "edgerl_policy"
    (tmp_path / "host.c").write_text("void app_main(void);\nint main(void) { app_main(); return 0; }\n")
    # The console never ends on a chip; here its end does.
    text = (project / "main" / "main.c").read_text().replace("clearerr(stdin);", "exit(0);")
    (tmp_path / "main.c").write_text(text)
    sources = [tmp_path / "host.c", tmp_path / "main.c", component / "policy.c"]
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-I", component / "include"]
    subprocess.run(["cc", *flags, *sources, "-o", tmp_path / "chip"], check=True)
    observations = np.random.default_rng(0).normal(scale=0.2, size=(50, 4)).astype(np.float32)
    lines = [f"obs: [{' '.join(repr(float(v)) for v in row)}]" for row in observations]
    sent = "\n".join([*lines, "obs: [1 2 3]", "hello", ""])
    answers = subprocess.run([tmp_path / "chip"], input=sent, capture_output=True, text=True, check=True).stdout
    _, scores = int8_policy.evaluate(deploy.load(folder), observations)
    assert answers.splitlines()[0].startswith("self-test: 0 of")
    assert answers.splitlines()[1:51] == [f"action: {a}" for a in scores.argmax(axis=1)]
    assert [line[:5] for line in answers.splitlines()[51:]] == ["error", "error"]


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


ARDUINO = r"""
#include <cstdio>
#include <cstdlib>
#include <type_traits>
struct Port {
  void begin(long) {}
  void print(const char* text) { std::fputs(text, stdout); }
  void println(const char* text) { std::puts(text); }
  void println(int number) { std::printf("%d\n", number); }
  int available() { return 1; }
  int read() { const int c = std::getchar(); if (c == EOF) { std::exit(0); } return c; }
};
static Port Serial;
"""


def test_the_arduino_sketch_answers(exported, tmp_path):
    """Compiled for this host behind a stand-in for the serial port."""
    library = exported[1] / "arduino" / "EdgeRL_Policy"
    sketch = (library / "examples" / "serial_policy" / "serial_policy.ino").read_text()
    (tmp_path / "sketch.cc").write_text(f"{ARDUINO}\n{sketch}\nint main() {{ setup(); for (;;) {{ loop(); }} }}\n")
    include = ["-I", library / "src"]
    subprocess.run(["cc", *include, "-c", library / "src" / "policy.c", "-o", tmp_path / "policy.o"], check=True)
    sources = [tmp_path / "sketch.cc", tmp_path / "policy.o"]
    subprocess.run(["c++", "-Wall", "-Wextra", "-Werror", *include, *sources, "-o", tmp_path / "board"], check=True)
    observations = np.random.default_rng(1).normal(scale=0.2, size=(20, 4)).astype(np.float32)
    sent = "".join(f"obs: [{', '.join(repr(float(v)) for v in row)}]\n" for row in observations) + "obs: 1 2 3 4\n"
    answers = subprocess.run([tmp_path / "board"], input=sent, capture_output=True, text=True, check=True).stdout
    _, scores = int8_policy.evaluate(deploy.load(exported[1]), observations)
    wanted = ["self-test failures: 0", *(f"action: {a}" for a in scores.argmax(axis=1))]
    assert answers.splitlines() == [*wanted, "error: expected obs: [ numbers ]"]


def test_a_broken_compiler_does_not_stop_an_export(exported, monkeypatch):
    """What cannot be measured is a sentence in the report."""
    monkeypatch.setattr(toolchain, "STRICT", ("-fno-such-option",))
    _, folder, _ = exported
    observations = np.zeros((3, 4), np.float32)
    measured = exporting.measure(folder, observations.astype(np.int8), observations)
    assert "failed" in measured["host C"]
