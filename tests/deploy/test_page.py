"""The page of an export: what is in it, what `verify` finds of it, that it decides as JAX and plays in Chromium."""

import base64
import hashlib
import json
import re
import shutil
import time

import numpy as np
import pytest
from browser import Browser, needs_chromium
from node import data_of, needs_node

from edgerl import UserError, deploy, make
from edgerl.deploy import int8_policy, toolchain, vectors
from edgerl.deploy.folder import NO_PAGE, PAGE, open_folder
from edgerl.deploy.machines import wasm
from edgerl.deploy.targets import demo
from edgerl.util import files

pytestmark = pytest.mark.skipif(wasm.missing() is not None, reason=f"{wasm.missing()}")
SIZE = 100_000  # bytes, at most


def _checks(folder, num_vectors=200):
    return {check["name"]: check for check in deploy.verify(folder, num_vectors=num_vectors, targets=[])["checks"]}


def _replace(folder, data):
    """Another page, with its hash in the report."""
    (folder / PAGE).write_bytes(data)
    report = files.read_json(folder / "report.json")
    report["files"][PAGE] = hashlib.sha256(data).hexdigest()
    files.write_json(folder / "report.json", report)


def _with_program(page, program):
    text = base64.b64encode(program).decode()
    return re.sub(r'(id="program">)[^<]*', rf"\g<1>{text}", page.decode()).encode()


@pytest.fixture(scope="module")
def plain(make_policy, observations, tmp_path_factory):
    """An export without an environment, of another name, that decides by its accumulators."""
    folder = tmp_path_factory.mktemp("plain") / "left_motor"
    deploy.export(make_policy((8,), "tanh"), observations, folder, name="left_motor", argmax="accumulators")
    return folder


@needs_node
def test_ten_thousand_decisions_are_jaxs(exported):
    """Of the very bytes that a browser runs, on observations that no sensor should send, too."""
    folder, policy = exported[1], deploy.load(exported[1])
    kept = files.read_npz(folder / "observations.npz")["observations"]
    obs = vectors.make(int8_policy.read(folder).quantiser, kept, 10_000)
    inputs, scores = int8_policy.evaluate(policy, obs)
    program = wasm.Program("page", demo.program_of(folder / PAGE), "no page")
    records = program.records(folder, "policy", obs, scores.shape[1], scores.dtype)
    np.testing.assert_array_equal(records["input"], inputs)
    np.testing.assert_array_equal(records["scores"], scores)
    np.testing.assert_array_equal(records["act"], scores.argmax(axis=1))
    assert len(set(records["act"])) == 2


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
    page, program = (copy / PAGE).read_bytes(), demo.program_of(copy / PAGE)
    weights = np.ascontiguousarray(_blocks(copy)).tobytes()
    at = program.index(weights[:32])
    changed = program[: at + 20] + bytes([program[at + 20] ^ 64]) + program[at + 21 :]
    for other, detail in (
        (changed, "differ from JAX|test vectors failed"),
        (demo.program_of(plain / PAGE), "ended with"),  # whose functions have other names
        (b"\0asm\1\0\0\0", "ended with"),
        (b"no program", "ended with"),
    ):
        _replace(copy, _with_program(page, other))
        checks = _checks(copy)
        assert {name for name, check in checks.items() if check["passed"] is False} == {"page"}
        assert re.search(detail, checks["page"]["detail"])


def _blocks(folder):
    """int8 of the first layer's weights as they lie in the C, and so in the program."""
    text = (folder / "policy.c").read_text()
    numbers = re.search(r"weights_0\[\d+\] WEIGHTS = \{(.*?)\}", text, re.DOTALL)[1]
    return np.array([int(number) for number in re.findall(r"-?\d+", numbers)], np.int8)


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
    _replace(copy, changed)
    checks = _checks(copy)
    assert PAGE in checks["generated files"]["detail"]
    assert checks["page"]["passed"] is False


def test_without_a_compiler_there_is_no_page_and_the_report_says_why(make_policy, observations, tmp_path, monkeypatch):
    monkeypatch.setattr(wasm, "_compiler", lambda: None)
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
    monkeypatch.setattr(wasm, "_FLAGS", ("-fno-such-option",))
    report = deploy.export(make_policy((4,), "relu"), observations, tmp_path / "out")
    assert [line for line in report["remarks"] if line.startswith(NO_PAGE) and "no-such-option" in line]


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
    records = wasm.run(program, "policy", obs, 2, scores.dtype)
    np.testing.assert_array_equal(records["scores"], scores)


@needs_chromium
def test_cartpole_plays_in_chromium(exported):
    with Browser() as tab:
        tab.open(exported[1] / PAGE)
        tab.wait("document.body.dataset.steps > 5")
        frames, start = tab.value("Number(document.body.dataset.frames)"), time.monotonic()
        tab.wait(f"document.body.dataset.steps > 40 && document.body.dataset.frames > {frames + 30}")
        drawn, seconds = tab.value("Number(document.body.dataset.frames)") - frames, time.monotonic() - start
        print(f"{drawn / seconds:.1f} frames a second")
        assert tab.value("document.body.dataset.selfTest") == "0"
        assert "0 failed" in tab.value("document.getElementById('self-test').textContent")
        velocity = "Number(document.querySelector('#observation tr:nth-child(2) td:nth-child(2)').textContent)"
        before = tab.value(velocity)
        tab.press("ArrowRight")
        tab.wait(f"{velocity} > {before} + 0.4 || document.body.dataset.episodes > 0")
        tab.press(" ")
        stopped = tab.wait(
            "document.getElementById('pause').textContent.includes('Go on') && document.body.dataset.steps"
        )
        frames = tab.value("Number(document.body.dataset.frames)")
        tab.wait(f"document.body.dataset.frames > {frames + 5}")
        assert tab.value("document.body.dataset.steps") == stopped
        assert tab.complaints == []


@needs_chromium
def test_recorded_observations_play_in_chromium(plain):
    """Where an environment has no play of its own; a slider makes an observation."""
    with Browser(width=390) as tab:
        tab.open(plain / PAGE)
        tab.wait("document.body.dataset.steps > 1")
        assert tab.value("document.body.dataset.selfTest") == "0"
        assert tab.value("document.documentElement.scrollWidth") <= 390
        slide = "const one = document.querySelector('.sliders input'); one.value = one.max; "
        tab.value(f"(() => {{ {slide} one.dispatchEvent(new Event('input')); }})()")
        tab.wait("document.querySelector('#counters dd').textContent === 'yours'")
        high = data_of(plain / PAGE)["high"][0]
        shown = float(tab.value("document.querySelector('#observation td:nth-child(2)').textContent"))
        assert shown == pytest.approx(high, abs=0.01 * abs(high))
        assert tab.complaints == []


@needs_chromium
def test_a_page_whose_program_fails_its_self_test_decides_nothing(copy):
    program = demo.program_of(copy / PAGE)
    weights = _blocks(copy).tobytes()
    at = program.index(weights[:32])
    changed = program[:at] + bytes(byte ^ 64 for byte in weights[:32]) + program[at + 32 :]
    (copy / PAGE).write_bytes(_with_program((copy / PAGE).read_bytes(), changed))
    with Browser() as tab:
        tab.open(copy / PAGE)
        assert int(tab.wait("document.body.dataset.selfTest")) > 0
        assert "nothing is decided" in tab.value("document.getElementById('self-test').textContent")
        assert tab.value("document.body.dataset.steps") is None


def test_the_same_export_has_the_same_page(exported, make_policy, observations, tmp_path):
    deploy.export(exported[0], observations, tmp_path / "again", env=make("CartPole-v1"))
    assert (tmp_path / "again" / PAGE).read_bytes() == (exported[1] / PAGE).read_bytes()
    assert json.loads((tmp_path / "again" / "report.json").read_text())["files"] == exported[2]["files"]
