"""The page of an export: what is in it, what `verify` finds of it, that its program decides as JAX does."""

import importlib.util
import json
import os
import re
import shutil

import numpy as np
import pytest
from node import needs_node
from pages import data_of, replace, with_changed_weights, with_program

from edgerl import UserError, cli, deploy, make
from edgerl.deploy import int8_policy, plays, toolchain, vectors
from edgerl.deploy.folder import NO_PAGE, PAGE, open_folder
from edgerl.deploy.machines import wasm
from edgerl.deploy.targets import demo
from edgerl.util import files

pytestmark = pytest.mark.skipif(wasm.missing() is not None, reason=f"{wasm.missing()}")
SIZE = 100_000  # bytes, at most


def _checks(folder, num_vectors=200):
    return {check["name"]: check for check in deploy.verify(folder, num_vectors=num_vectors, targets=[])["checks"]}


@needs_node
def test_ten_thousand_decisions_are_jaxs(exported):
    """Of the very bytes that a browser runs, on observations that no sensor should send, too."""
    folder, policy = exported[1], deploy.load(exported[1])
    kept = files.read_npz(folder / "observations.npz")["observations"]
    obs = vectors.make(int8_policy.read(folder).quantiser, kept, 10_000)
    inputs, scores = int8_policy.evaluate(policy, obs)
    program = wasm.Program("page", demo.program_of(folder / PAGE), "no page")
    records = program.records(folder, "policy", obs, toolchain.Form(obs.shape[1], scores.shape[1], scores.dtype))
    np.testing.assert_array_equal(records["input"], inputs)
    np.testing.assert_array_equal(records["scores"], scores)
    np.testing.assert_array_equal(records["act"]["number"], scores.argmax(axis=1))
    assert len(set(records["act"]["number"])) == 2


def test_the_page_is_small_and_loads_nothing(exported, plain):
    for folder in (exported[1], plain):
        text = (folder / PAGE).read_text()
        assert len(text.encode()) <= SIZE
        assert "default-src 'none'" in text  # the browser itself refuses all requests
        assert not re.findall(r"https?://|src=|href=|@import|url\(", text)
        assert f"`{PAGE}`" in (folder / "README.md").read_text()


def test_the_page_has_the_exports_words(exported, plain):
    data = data_of(exported[1] / PAGE)
    assert data["observations"][2] == "pole angle from upright, rad"
    assert data["actions"] == ["push left", "push right"]
    assert data["params"]["gravity"] == 9.8
    assert (data["title"], data["name"], data["scoreBytes"]) == ("CartPole-v1", "policy", 1)
    data = data_of(plain / PAGE)
    assert data["actions"] == ["action 0", "action 1"]
    assert (data["title"], data["name"], data["scoreBytes"]) == ("left_motor", "left_motor", 4)


def test_words_cannot_break_out_of_the_page(make_policy, observations, tmp_path):
    class Named(type(make("CartPole-v1"))):
        observation_names = ("</script><script>alert(1)</script>", "$title", "", "&amp;")

    env = Named("CartPole-v1")
    deploy.export(make_policy((4,), "relu"), observations, tmp_path / "out", env=env)
    text = (tmp_path / "out" / PAGE).read_text()
    assert "alert(1)</script" not in text
    assert data_of(tmp_path / "out" / PAGE)["observations"] == list(Named.observation_names)
    assert _checks(tmp_path / "out")["generated files"]["passed"]


@needs_node
@pytest.mark.parametrize("name", ["pole", "left_motor"])
def test_verify_runs_the_program_in_the_page(exported, plain, name):
    check = _checks(exported[1] if name == "pole" else plain, 500)["page"]
    assert (check["passed"], check["differences"]) == (True, 0)
    assert "of 500 vectors differ" in check["detail"]


@needs_node
def test_another_program_is_found(exported, plain, copy):
    """All hashes fit, and the page is byte for byte that of its program: only running it tells."""
    page = (copy / PAGE).read_bytes()
    for other, detail in (
        (with_changed_weights(copy, 1), "differ from JAX|test vectors failed"),
        (demo.program_of(plain / PAGE), "ended with"),  # whose functions have other names
        (b"\0asm\1\0\0\0", "ended with"),
        (b"no program", "ended with"),
    ):
        replace(copy, with_program(page, other))
        checks = _checks(copy)
        assert {name for name, check in checks.items() if check["passed"] is False} == {"page"}
        assert re.search(detail, checks["page"]["detail"])


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page.replace(b"best return", b"best retain"),
        lambda page: page.replace(b'id="program">', b'id="program"> '),
        lambda page: page.replace(b"</body>", b"<script>fetch('x')</script></body>"),
        lambda page: b"",
    ],
    ids=["word", "damaged program", "script", "empty"],
)
def test_a_changed_page_is_found(copy, change):
    changed = change((copy / PAGE).read_bytes())
    assert changed != (copy / PAGE).read_bytes()
    replace(copy, changed)
    checks = _checks(copy)
    assert PAGE in checks["generated files"]["detail"]
    assert checks["page"]["passed"] is False


def test_without_a_compiler_there_is_no_page_and_the_report_says_why(make_policy, observations, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "ziglang" else real(name, *a))
    monkeypatch.setattr(shutil, "which", lambda tool, *a, **k: None)
    report = deploy.export(make_policy((4,), "relu"), observations, tmp_path / "out")
    assert [line for line in report["remarks"] if line.startswith(NO_PAGE) and "clang, lld" in line]
    assert not (tmp_path / "out" / PAGE).parent.exists()
    assert PAGE not in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(UserError, match=r"has no demo/index\.html.*clang, lld.*export again"):
        open_folder(tmp_path / "out").page()
    monkeypatch.undo()
    checks = _checks(tmp_path / "out")
    assert (checks["page"]["passed"], checks["page"]["detail"]) == (None, f"the export has no {PAGE}")
    assert checks["generated files"]["passed"]


def test_a_compiler_that_cannot_do_it_leaves_its_line(make_policy, observations, tmp_path, monkeypatch):
    clang = tmp_path / "clang"
    clang.write_text("#!/bin/sh\necho 'clang: error: no such target' >&2\nexit 1\n")
    clang.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    report = deploy.export(make_policy((4,), "relu"), observations, tmp_path / "out")
    assert [line for line in report["remarks"] if line.startswith(NO_PAGE) and "no such target" in line]


def test_without_node_the_check_is_not_made(exported, monkeypatch):
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda tool, *a, **k: None if tool == "node" else real(tool, *a, **k))
    check = _checks(exported[1])["page"]
    assert check["passed"] is None
    assert "nodejs" in check["detail"]


def test_zig_compiles_it_where_clang_is_missing(exported, tmp_path, monkeypatch):
    pytest.importorskip("ziglang")
    monkeypatch.setattr(toolchain, "missing", lambda *tools: "not installed: clang, lld" if "clang" in tools else None)
    program = wasm.build(exported[1], "policy", tmp_path, optimise="-Os")
    obs = files.read_npz(exported[1] / "observations.npz")["observations"]
    _, scores = int8_policy.evaluate(deploy.load(exported[1]), obs)
    records = wasm.run(program, "policy", obs, toolchain.Form(obs.shape[1], 2, scores.dtype))
    np.testing.assert_array_equal(records["scores"], scores)


def test_the_same_export_has_the_same_page(exported, make_policy, observations, tmp_path):
    deploy.export(exported[0], observations, tmp_path / "again", env=make("CartPole-v1"))
    assert (tmp_path / "again" / PAGE).read_bytes() == (exported[1] / PAGE).read_bytes()
    assert json.loads((tmp_path / "again" / "report.json").read_text())["files"] == exported[2]["files"]


def test_an_environment_of_ones_own_has_a_page_of_its_own(make_policy, observations, tmp_path, monkeypatch):
    class Lamp(type(make("CartPole-v1"))):
        """An environment of another name."""

    (tmp_path / "lamp_package").mkdir()
    (tmp_path / "lamp_package" / "__init__.py").touch()
    for name in ("lamp", "other"):
        (tmp_path / "lamp_package" / f"{name}.mjs").write_text(f"function createPlay() {{ return '{name}'; }}")
    monkeypatch.syspath_prepend(tmp_path)
    plays.register("Lamp-v0", "lamp_package:lamp.mjs")
    deploy.export(make_policy((4,), "relu"), observations, tmp_path / "out", env=Lamp("Lamp-v0"))
    assert "return 'lamp'" in (tmp_path / "out" / PAGE).read_text()
    assert _checks(tmp_path / "out")["generated files"]["passed"]
    plays.register("Lamp-v0", "lamp_package:other.mjs")
    assert PAGE in _checks(tmp_path / "out")["generated files"]["detail"]


def test_demo_opens_the_page(exported, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)))
    page = exported[1] / PAGE
    assert cli.main(["demo", str(exported[1])]) == 0
    said = capsys.readouterr()
    assert opened == [page.as_uri()]
    assert said.out == f"{page}\n"
    assert "no browser was found" in said.err
    assert cli.main(["demo", str(exported[1]), "--no-open", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"page": str(page), "opened": False}
    assert len(opened) == 1


def test_demo_opens_no_page_that_was_changed(copy, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail(address))
    (copy / PAGE).write_bytes((copy / PAGE).read_bytes() + b"<script>alert(1)</script>")
    for folder, detail in ((copy, "changed since the export"), (tmp_path, "report.json")):
        assert cli.main(["demo", str(folder)]) == 2
        line = capsys.readouterr().err
        assert detail in line
        assert line.count("\n") == 1
