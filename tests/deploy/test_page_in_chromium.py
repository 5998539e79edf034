"""The page of an export in a headless Chromium, opened from the file system."""

import base64
import statistics

import node
import numpy as np
import pytest
from browser import Browser, needs_chromium
from pages import data_of, with_changed_weights, with_program

from edgerl import deploy
from edgerl.deploy import int8_policy, vectors
from edgerl.deploy.folder import PAGE
from edgerl.deploy.machines import wasm
from edgerl.deploy.targets import demo
from edgerl.util import files

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(wasm.missing() is not None, reason=f"{wasm.missing()}"),
]
VELOCITY = "Number(document.querySelector('#observation tr:nth-child(2) td:nth-child(2)').textContent)"
BADGE = "document.getElementById('self-test')"
# Of each row of a table, its class and its cells.
ROWS = """(id) => [...document.querySelectorAll(`#${id} tbody tr`)].map(
  (row) => [row.className, ...[...row.cells].map((cell) => cell.textContent)])"""
# Milliseconds of each frame's own work; a page draws only when the browser asks it to.
WORK = """
const ask = window.requestAnimationFrame.bind(window);
window.work = [];
window.requestAnimationFrame = (draw) => ask((now) => {
  const start = performance.now();
  draw(now);
  work.push(performance.now() - start);
});
"""


def _choose_speed(tab, speed):
    choice = f"const speed = document.getElementById('speed'); speed.value = '{speed}'"
    tab.value(f"(() => {{ {choice}; speed.dispatchEvent(new Event('change')); }})()")


@pytest.mark.parametrize("width", [1280, 360])
def test_cartpole_plays(exported, width):
    with Browser(width) as tab:
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=WORK)
        tab.open(exported[1] / PAGE)
        tab.wait("document.body.dataset.steps > 40")
        assert tab.value("document.body.dataset.selfTest") == "0"
        assert "0 failed" in tab.value(f"{BADGE}.textContent")
        work = tab.wait("work.length > 60 && work")
        assert tab.value("Number(document.body.dataset.frames) - work.length") in (0, 1)  # none but on request
        assert statistics.median(work) < 8  # of the 16.7 that a frame has at 60 a second
        assert tab.value("document.documentElement.scrollWidth") <= width
        assert tab.complaints == []


def test_a_visitor_pushes_the_cart_and_stops_the_time(exported):
    with Browser() as tab:
        tab.open(exported[1] / PAGE)
        tab.wait("document.body.dataset.steps > 3")
        _choose_speed(tab, 0.1)  # so that the policy has not made up for a push before it is looked at
        before = tab.value(VELOCITY)
        tab.press("ArrowRight")
        tab.wait(f"{VELOCITY} > {before} + 0.4")
        before = tab.value(VELOCITY)
        tab.click("#pushes button:first-child")
        tab.wait(f"{VELOCITY} < {before} - 0.4")
        tab.press(" ")
        assert "Go on" in tab.value("document.getElementById('pause').textContent")
        stopped, frames = tab.value("document.body.dataset.steps"), tab.value("Number(document.body.dataset.frames)")
        tab.wait(f"document.body.dataset.frames > {frames + 30}")
        assert tab.value("document.body.dataset.steps") == stopped
        tab.click("#reset")
        tab.wait(f"Math.abs({VELOCITY}) <= 0.05")
        assert tab.complaints == []


def test_what_is_shown_is_what_jax_says(exported):
    """Integers, scores and the decision of one step."""
    with Browser() as tab:
        tab.open(exported[1] / PAGE)
        tab.wait("document.body.dataset.steps > 10")
        tab.press(" ")
        seen = tab.value(f"({ROWS})('observation')")
        decided = tab.value(f"({ROWS})('scores')")
    assert seen[2][1].strip() == "pole angle from upright rad"
    integers = np.int8([row[3] for row in seen])
    scores = np.asarray(deploy.load(exported[1]).scores(integers))
    assert [int(row[2]) for row in decided] == scores.tolist()
    assert [row[0] for row in decided] == ["chosen" if i == scores.argmax() else "" for i in range(2)]


DECIDE = """(async () => {
  %s
  const read = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const program = read(document.getElementById('program').textContent);
  const policy = await openPolicy(program, {name: 'policy', features: 4, actions: 2, scoreBytes: 1});
  const obs = new Float32Array(read('%s').buffer);
  return Array.from({length: obs.length / 4}, (_, i) => {
    policy.view(Float32Array, policy.at.obs, 4).set(obs.subarray(4 * i, 4 * i + 4));
    const {scores, action} = policy.decide();
    return [...scores, action];
  });
})()"""


def test_ten_thousand_decisions_in_chromium_are_jaxs(exported):
    """By the bytes and the script that are in the page."""
    policy = deploy.load(exported[1])
    kept = files.read_npz(exported[1] / "observations.npz")["observations"]
    obs = vectors.make(int8_policy.read(exported[1]).quantiser, kept, 10_000)
    _, scores = int8_policy.evaluate(policy, obs)
    script = (node.PACKAGE / "deploy/templates/demo/policy.mjs").read_text()
    assert script in (exported[1] / PAGE).read_text()
    with Browser() as tab:
        tab.open(exported[1] / PAGE)
        given = base64.b64encode(np.ascontiguousarray(obs, "<f4").tobytes()).decode()
        found = np.array(tab.value(DECIDE % (script.replace("export async", "async"), given)))
    np.testing.assert_array_equal(found[:, :2], scores)
    np.testing.assert_array_equal(found[:, 2], scores.argmax(axis=1))
    assert len(found) == 10_000


def test_recorded_observations_play(plain):
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


def test_a_page_whose_program_fails_its_self_test_decides_nothing(copy):
    (copy / PAGE).write_bytes(with_program((copy / PAGE).read_bytes(), with_changed_weights(copy, 32)))
    with Browser() as tab:
        tab.open(copy / PAGE)
        assert int(tab.wait("document.body.dataset.selfTest")) > 0
        assert "nothing is decided" in tab.value(f"{BADGE}.textContent")
        assert tab.value(f"{BADGE}.className") == "badge bad"
        assert tab.value("document.body.dataset.steps") is None


def test_a_page_whose_program_does_not_run_says_so(copy, plain):
    page = (copy / PAGE).read_bytes()
    for program, why in (
        (b"no program", "WebAssembly"),
        (demo.program_of(copy / PAGE)[:-1], "WebAssembly"),
        (demo.program_of(plain / PAGE), "no function policy_quantise"),  # another export's
    ):
        (copy / PAGE).write_bytes(with_program(page, program))
        with Browser() as tab:
            tab.open(copy / PAGE)
            said = tab.wait(f"{BADGE}.className === 'badge bad' && {BADGE}.textContent")
        assert said.startswith("This page is damaged: the WebAssembly in it does not run, so no self-test was made")
        assert why in said
        assert "export again" in said
