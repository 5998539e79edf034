"""What `verify` finds, what it refuses, and that it says so where it could not compare. One export is shared."""

import hashlib
import json
import os
import re
import shutil
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest

from edgerl import UserError, __version__, cli, deploy
from edgerl.deploy import contents, machines, perceptron, tflite_file, tflm, toolchain
from edgerl.util import files

QUICK = ("host C", "rv32imc")  # of the machines that run the C


def _by_name(report):
    return {check["name"]: check for check in report["checks"]}


def _failed(report):
    return {check["name"] for check in report["checks"] if check["passed"] is False}


def _replace(folder, name, data):
    """Writes a file and its hash in the report."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    report = json.loads((folder / "report.json").read_text())
    report["files"][name] = hashlib.sha256(data).hexdigest()
    (folder / "report.json").write_text(json.dumps(report))


def _refused(folder, match):
    with pytest.raises(UserError, match=match) as caught:
        deploy.verify(folder, num_vectors=100, targets=QUICK)
    assert len(str(caught.value).splitlines()) == 1


def test_it_finds_no_difference(exported, capsys):
    report = deploy.verify(exported[1], num_vectors=500)
    assert report["passed"] is True
    by_name = _by_name(report)
    assert by_name["TFLM"]["differences"] == by_name["host C"]["differences"] == 0
    for machine in machines.ALL:
        check, missing = by_name[machine.name], machine.missing()
        assert check["passed"] is (True if missing is None else None), check
        assert missing is None or missing in check["detail"]
    assert "fidelity" in report["unchecked"]


def test_the_number_of_vectors_is_an_option(copy, capsys):
    assert cli.main(["verify", str(copy), "--vectors", "70", "--targets", "host C", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["vectors"] == 70
    assert "70 vectors" in _by_name(report)["vectors"]["detail"]


def test_more_vectors_are_given_more_time():
    assert toolchain.patience(0) == toolchain.patience(100_000) == 300
    assert toolchain.patience(1_000_000) == 2500


def test_exit_statuses(copy, tmp_path, capsys):
    (copy / "tflm" / "policy_tflm.h").write_text("")
    assert cli.main(["verify", str(copy), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["passed"] is False
    assert cli.main(["verify", str(tmp_path), "--json"]) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)


@pytest.mark.parametrize("name", ["policy.c", "policy.h"])
def test_changed_c_is_a_failed_check(copy, name):
    with (copy / name).open("a") as file:
        file.write("/* harmless */\n")
    report = deploy.verify(copy, num_vectors=100, targets=QUICK)
    assert not report["passed"]
    assert {"files", "generated files", "host C"} <= _failed(report)
    assert "TFLM" not in _failed(report)
    assert name in _by_name(report)["host C"]["detail"]


def test_a_changed_model_is_found(copy):
    data = bytearray((copy / "policy_int8.tflite").read_bytes())
    weights = perceptron.layers(tflite_file.read(bytes(data)))[1].dense.weights.tobytes()
    data[data.index(weights) + 100] ^= 1
    (copy / "policy_int8.tflite").write_bytes(data)
    found = {"generated files", "model"}
    assert _failed(deploy.verify(copy, num_vectors=100, targets=QUICK)) == {"files", "TFLM", *found}
    _replace(copy, "policy_int8.tflite", bytes(data))
    assert found <= _failed(deploy.verify(copy, num_vectors=100, targets=QUICK))


def test_every_file_is_compared_with_what_export_writes(exported, copy):
    """With its hash updated, one byte more or less is found in each."""
    for name in exported[2]["files"]:
        original = (exported[1] / name).read_bytes()
        for changed in (original + b"\n", original[: len(original) // 2] + original[len(original) // 2 + 1 :]):
            _replace(copy, name, changed)
            assert name in _found(copy)
        _replace(copy, name, original)
    assert deploy.verify(copy, num_vectors=100, targets=QUICK)["passed"]


def _found(folder):
    """What `verify` says of a folder whose hashes fit: a line, or the check of its files."""
    try:
        by_name = _by_name(deploy.verify(folder, num_vectors=100, targets=QUICK))
    except UserError as error:
        return str(error)
    return by_name["generated files"]["detail"] if by_name["files"]["passed"] else "files"


def test_a_weight_of_a_neuron_that_never_fires_is_found(silent, tmp_path):
    """100,000 vectors would agree."""
    folder = shutil.copytree(silent, tmp_path / "changed")
    text = (folder / "policy.c").read_text()
    start = text.index("weights_1[")
    changed = text[:start] + re.sub(r"\n    -?\d+,", "\n    77,", text[start:], count=1)
    assert changed != text
    _replace(folder, "policy.c", changed.encode())
    assert "policy.c" in _by_name(deploy.verify(folder, num_vectors=10, targets=QUICK))["generated files"]["detail"]


def test_a_network_that_never_fires_is_named(silent):
    report = deploy.verify(silent, num_vectors=100, targets=QUICK)
    assert report["passed"]
    check = _by_name(report)["vectors"]
    assert check["passed"] is None
    assert "never fires" in check["detail"]


def test_the_report_is_compared_with_the_files(copy):
    for section, change in (
        ("quantisation", {"argmax": "accumulators"}),
        ("policy", {"sizes": [4, 64, 2]}),
        ("size", {"tflm_arena": 16}),
        ("environment", {"id": 'x" */'}),
    ):
        report = files.read_json(copy / "report.json")
        kept = json.dumps(report)
        report[section] |= change
        (copy / "report.json").write_text(json.dumps(report))
        assert {"report", "generated files"} & _failed(deploy.verify(copy, num_vectors=100, targets=QUICK)), section
        (copy / "report.json").write_text(kept)


@pytest.mark.parametrize("section", ["closed_loop", "run", "fidelity", "extra", "versions"])
def test_a_section_of_the_report_under_another_name_is_found(copy, section):
    """One bit in `report.json`; `benchmarks.mutations` found it, since nothing else reads these sections."""
    text = (copy / "report.json").read_text()
    (copy / "report.json").write_text(text.replace(f'"{section}":', f'"{section[:-1]}~":', 1))
    by_name = _by_name(deploy.verify(copy, num_vectors=100, targets=QUICK))
    assert by_name["report"]["passed"] is False
    assert by_name["report"]["detail"] == f"its section is missing: {section}"


def test_the_sections_of_a_report_are_those_that_verify_wants(exported):
    assert set(exported[2]) == set(contents.SECTIONS)


def test_a_policy_that_was_not_quantised_is_found(exported, copy):
    policy = exported[0]
    other = policy.replace(kernels=(policy.kernels[0] + jnp.float32(0.05), *policy.kernels[1:]))
    deploy.exporting.float_policy.save_policy(copy / "policy.npz", other)
    _replace(copy, "policy.npz", (copy / "policy.npz").read_bytes())
    assert _failed(deploy.verify(copy, num_vectors=100, targets=QUICK)) == {"float policy"}


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("name", ["stdint.h", "evil.c", "esp_idf/main/stdio.h", "notes.txt"])
def test_what_export_did_not_write_is_refused(copy, tmp_path, name, listed):
    """And nothing of it is compiled: the include would be an error that names the file."""
    if listed:
        _replace(copy, name, b"#error planted\n")
        report = deploy.verify(copy, num_vectors=100, targets=QUICK)
        assert _failed(report) == {"generated files"}
        assert name in _by_name(report)["generated files"]["detail"]
        assert "planted" not in json.dumps(report)
    else:
        (copy / name).write_text("#error planted\n")
        _refused(copy, rf"{re.escape(name)} is not one of the files that report\.json lists")


@pytest.mark.parametrize("damage", ["truncated", "foreign", "missing", "folder", "link", "pipe"])
@pytest.mark.parametrize(
    "name", ["policy_int8.tflite", "policy_int8.npz", "report.json", "observations.npz", "policy.npz"]
)
def test_unreadable_files_are_refused(copy, tmp_path, name, damage):
    path = copy / name
    data = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "foreign":
        path.write_bytes(b"not what it should be")
    elif damage == "folder":
        path.mkdir()
    elif damage == "link":
        (tmp_path / "outside").write_bytes(data)
        path.symlink_to(tmp_path / "outside")
    elif damage == "pipe":
        os.mkfifo(path)
    _refused(copy, re.escape(name))


def test_folders_that_are_no_exports(exported, copy, tmp_path):
    _refused(tmp_path / "nowhere", "nowhere is not a folder")
    _refused(exported[1] / "policy.c", "is a file, not a folder")
    (tmp_path / "empty").mkdir()
    _refused(tmp_path / "empty", r"empty is no export: .*report\.json does not exist")
    _refused(exported[1] / "esp_idf", "is no export")
    files.write_json(tmp_path / "run" / "run.json", {"system": "cartpole"})
    _refused(tmp_path / "run", "run is a run, not an export: `edgerl export")
    for number in (0, True, 1.5, "many", None):
        with pytest.raises(UserError, match="at least 1"):
            deploy.verify(copy, num_vectors=number)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not readable JSON"),
        ("[" * 100_000, "not readable JSON"),
        ("9" * 10_000, "not readable JSON"),
        ("null", "holds a NoneType"),
        ("[]", "holds a list"),
        ("{}", "lists no files"),
        ('{"files": {"policy.c": 3}}', "lists no files"),
    ],
)
def test_a_report_that_is_none(copy, text, message):
    (copy / "report.json").write_text(text)
    _refused(copy, message)


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("size", None, "size is None, expected an object"),
        ("size", {"tflm_arena": 1e400}, "size.tflm_arena is inf"),
        ("size", {"tflm_arena": 10**30}, "size.tflm_arena is 1000"),
        ("environment", "CartPole-v1", "environment is 'CartPole-v1'"),
        ("environment", {"id": "x", "params": {"a": [1]}}, "params that are numbers"),
        ("extra", [], "extra is"),
        ("extra", {"evil": {}}, "no generator is called 'evil'; known: cascade, exits"),
        ("extra", {"exits": {}}, "extra.exits is incomplete"),
        ("extra", {"cascade": {}}, "network_int8.npz does not exist"),
    ],
)
def test_a_report_with_wrong_types(copy, section, value, message):
    report = files.read_json(copy / "report.json") | {section: value}
    (copy / "report.json").write_text(json.dumps(report))
    _refused(copy, message)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b", "./policy.c", ""])
def test_names_that_lead_outside(copy, name):
    report = files.read_json(copy / "report.json")
    report["files"][name] = "0"
    (copy / "report.json").write_text(json.dumps(report))
    _refused(copy, "outside of the folder")


def test_archives_that_would_fill_the_memory(copy):
    path = copy / "observations.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("observations.npy", bytes(2**24))
    _replace(copy, path.name, path.read_bytes())
    _refused(copy, "compressed or larger than the file")
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("observations.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    _replace(copy, path.name, path.read_bytes())
    _refused(copy, "observations.npz is not a readable .npz archive")


def test_another_edgerl_wrote_it(copy):
    report = files.read_json(copy / "report.json") | {"edgerl": "0.0.1"}
    (copy / "report.json").write_text(json.dumps(report))
    (copy / "policy.c").write_text("int x;\n")
    detail = _by_name(deploy.verify(copy, num_vectors=100, targets=QUICK))["generated files"]["detail"]
    assert f"this is EdgeRL {__version__}, the export is of '0.0.1'" in detail


def test_a_missing_cross_compiler_is_named(exported, monkeypatch):
    """Without the tools verify checks the rest, and says which packages bring them."""
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda tool, *a, **k: None if "riscv" in tool else real(tool, *a, **k))
    report = deploy.verify(exported[1], num_vectors=100, targets=QUICK)
    by_name = _by_name(report)
    assert report["passed"]
    assert by_name["rv32imc"]["passed"] is None
    assert "gcc-riscv64-unknown-elf" in by_name["rv32imc"]["detail"]
    assert "qemu-user" in by_name["rv32imc"]["detail"]


def test_where_nothing_can_be_compared_nothing_has_passed(exported, monkeypatch):
    def missing(*args):
        raise UserError("running TFLM needs tflite-micro")

    monkeypatch.setattr(shutil, "which", lambda tool, *a, **k: None)
    with_tflm = deploy.verify(exported[1], num_vectors=100, targets=QUICK)
    assert with_tflm["passed"]
    assert "gcc" in _by_name(with_tflm)["host C"]["detail"]
    monkeypatch.setattr(tflm, "run", missing)
    report = deploy.verify(exported[1], num_vectors=100, targets=QUICK)
    assert report["passed"] is False
    assert _failed(report) == {"comparison"}
    assert {name for name, check in _by_name(report).items() if check["passed"] is None} == {
        "TFLM",
        "host C",
        "rv32imc",
        "page",
    }


def test_compilers_may_say_what_they_want(tmp_path):
    compiler = tmp_path / "cc"
    compiler.write_bytes(b"#!/bin/sh\nprintf 'x.c:1: error: \\377\\376' >&2\nexit 1\n")
    compiler.chmod(0o755)
    with pytest.raises(toolchain.ToolError, match=r"failed: x\.c:1: error"):
        toolchain.build(toolchain.Target("broken", str(compiler)), ["x.c"], [], tmp_path / "out")


@pytest.fixture(scope="module")
def silent(make_policy, observations, tmp_path_factory):
    """An export of a policy whose ReLUs are 0 whatever comes in."""
    policy = make_policy((6,), "relu")
    reach = np.abs(observations).max(axis=0) @ np.abs(policy.kernels[0])
    never = policy.replace(biases=(-1.5 * reach, policy.biases[1]))
    folder = tmp_path_factory.mktemp("silent") / "export"
    deploy.export(never, observations, folder)
    return folder
