"""Early exits in an export's page: images stop where the int8 policy stops them, and pay what the environment says."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import node
import numpy as np
import pytest
from browser import Browser, needs_chromium
from node import needs_node
from pages import data_of
from synthetic import synthetic_table
from variants import seldom

from edgerl import MLPPolicy, UserError, deploy
from edgerl.deploy.extras import Extra
from edgerl.deploy.folder import PAGE
from edgerl.deploy.machines import wasm
from edgerl.deploy.targets import demo
from edgerl.tasks.early_exit.env import EXTRAS, EarlyExitState
from edgerl.tasks.early_exit.evaluation.evaluate import Images, exits_of, load_images
from edgerl.tasks.early_exit.export import exits_files, images
from edgerl.tasks.early_exit.export.exits_c import Device
from edgerl.tasks.early_exit.table.table import Table
from edgerl.tasks.early_exit.trunk.data import TEST
from edgerl.util import files

SCRIPTS = ["deploy/templates/demo/policy.mjs", "tasks/early_exit/demo.mjs"]
pytestmark = pytest.mark.skipif(wasm.missing() is not None, reason=f"{wasm.missing()}")


@dataclasses.dataclass(frozen=True)
class Exported:
    """An export, what it was made of, and what its policy is told."""

    folder: Path
    table: Table
    test: Images
    preference: float | None

    @property
    def device(self):
        told = 0.5 if self.preference is None else self.preference
        return Device(self.test.env, self.table.temperatures, self.table.classes, told)

    @property
    def page(self):
        return self.folder / PAGE


@pytest.fixture(scope="module", params=[0.85, *seldom(None)], ids=["preference", "one goal"])
def exported(request, tmp_path_factory):
    """A policy that stops where an answer is sure enough; made-up logits: 4 exits, 10 classes, 200 test images."""
    table = synthetic_table(400, 10)
    range_of_it = {"preference_low": 0.25, "preference_high": 4.0}
    test = load_images(table, "test", "medium_power", EXTRAS, request.param, **range_of_it)
    made = Exported(tmp_path_factory.mktemp("exits") / "out", table, test, request.param)
    seen = made.device.observe(table.logits(table.rows(TEST)))
    weights = np.array([{"confidence": 1.0, "preference": 0.3}.get(name, 0.0) for name in test.env.names])
    scores = seen @ weights
    first = np.eye(len(weights), dtype=np.float32)
    last = np.stack([0 * weights, weights], axis=1).astype(np.float32)
    biases = np.zeros(len(weights), np.float32), np.float32([0, -np.median(scores)])
    extra = {
        exits_files.NAME: Extra(exits_files.said_of(made.device.exits)),
        images.NAME: Extra(images.said_of(table, test.env, "medium_power")),
    }
    observations = seen.reshape(-1, len(weights))
    deploy.export(MLPPolicy((first, last), biases), observations, made.folder, name="eye", env=test.env, extra=extra)
    return made


# All images in their order, each until it stops. What stands in for the document has a slider that can be moved.
PLAY = """await (async () => {
  const slider = {append() {}, addEventListener: (kind, moved) => { slider.moved = moved; }};
  globalThis.document = {createElement: (kind) => (kind === 'input' ? slider : {append() {}})};
  const {data} = given;
  const sizes = {features: data.sizes[0], actions: 2, scoreBytes: data.scoreBytes};
  const policy = await openPolicy(Uint8Array.from(given.program), {name: data.name, ...sizes});
  const play = createPlay(data, policy);
  play.controls(() => {});
  if (given.preference !== null) {
    slider.value = given.preference;
    slider.moved();
  }
  let number = 0;
  const random = () => --number; // so that the first is drawn last, and images come in their order
  return data.play.labels.map(() => {
    const [seen, inputs] = [[], []];
    play.reset(random);
    for (;;) {
      const {observation, input, action} = play.decide();
      seen.push([...observation]);
      inputs.push([...input]);
      const {reward, ended} = play.step(action);
      if (ended !== null) return {seen, inputs, reward, counters: Object.fromEntries(play.counters())};
    }
  });
})()"""


@needs_node
def test_images_stop_where_jax_stops_them(exported):
    table, test, data = exported.table, exported.test, data_of(exported.page)
    given = {"data": data, "program": list(demo.program_of(exported.page)), "preference": exported.preference}
    found = node.run(SCRIPTS, PLAY, given)
    count = len(data["play"]["labels"])
    chosen = np.arange(0, len(test.reward), len(test.reward) // count)[:count]
    rows = table.rows(TEST)[chosen]
    assert data["play"]["labels"] == table.labels[rows].tolist()
    seen = exported.device.observe(table.logits(rows))
    stops = exits_of(deploy.load(exported.folder), seen)
    assert len(set(stops)) > 1
    assert [len(image["seen"]) - 1 for image in found] == stops.tolist()
    for image, expected, stop in zip(found, seen, stops, strict=True):
        np.testing.assert_array_equal(np.float32(image["seen"]), expected[: stop + 1])
    taken = [image["reward"] for image in found]
    np.testing.assert_allclose(taken, test.reward[chosen, stops], rtol=1e-5, atol=1e-6)
    _check_counters(found[-1]["counters"], test, chosen, stops)


def _check_counters(said, test, chosen, stops):
    """Energy is counted over all images, beside that of the last exit."""
    costs = test.costs["energy_mj"]
    assert said["images"] == len(chosen)
    assert said["right"] == f"{100 * test.correct[chosen, stops].mean():.0f} %"
    assert float(said["energy"].removesuffix(" mJ")) == pytest.approx(costs[stops].sum(), rel=0.005)
    assert float(said["always to the end"].removesuffix(" mJ")) == pytest.approx(len(chosen) * costs[-1], rel=0.005)
    assert said["spared"] == f"{100 * (1 - costs[stops].mean() / costs[-1]):.0f} %"
    assert float(said["return an image"]) == pytest.approx(test.reward[chosen, stops].mean(), abs=0.006)


@needs_node
def test_a_step_is_the_environments(exported):
    """Of every image, at every exit, whatever is done."""
    test, preference = exported.test, exported.preference
    told = None if preference is None else jnp.float32(preference)
    positions = np.arange(test.correct.size, dtype=np.int32)
    for action in (0, 1):
        states = jax.vmap(lambda position: EarlyExitState(position, None, told))(jnp.asarray(positions))
        step = jax.jit(jax.vmap(test.env.step, in_axes=(None, 0, None)))
        _, after, reward, ended, _, _ = step(jax.random.key(0), states, jnp.int32(action))
        states = [{"image": int(p // test.env.exits), "exit": int(p % test.env.exits)} for p in positions]
        given = {"data": data_of(exported.page), "action": action, "states": states, "preference": preference}
        given["correct"] = test.correct.reshape(-1).tolist()
        call = "stepEarlyExit(state, given.action, given.correct[i], given.data, given.preference)"
        found = node.run(SCRIPTS[1:], f"given.states.map((state, i) => {call})", given)
        assert [one["terminated"] for one in found] == ended.tolist()
        reached = [one["state"]["image"] * test.env.exits + one["state"]["exit"] for one in found]
        assert reached == after.position.tolist()
        np.testing.assert_allclose([one["reward"] for one in found], reward, rtol=1e-5, atol=1e-6)


@needs_node
def test_verify_makes_the_page_anew_and_runs_it(exported):
    assert len(exported.page.read_bytes()) <= 100_000
    checks = {check["name"]: check for check in deploy.verify(exported.folder, num_vectors=200, targets=[])["checks"]}
    assert all(check["passed"] for check in checks.values()), checks
    assert "200 vectors" in checks["page"]["detail"]


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.pop("scale"),
        lambda said: said.update(classes="10"),
        lambda said: said.update(labels=said["labels"][1:]),
        lambda said: said.update(logits=said["logits"][4:]),
        lambda said: said.update(logits="*"),
        lambda said: said.update(energy_mj=[1.0, float("nan"), 1.0, 1.0]),
    ],
    ids=["missing", "text", "a label less", "bytes less", "no base64", "not a number"],
)
def test_images_that_do_not_fit_are_refused(exported, tmp_path, change):
    said = files.read_json(exported.folder / "report.json")["extra"][images.NAME]
    change(said)
    with pytest.raises(UserError, match=r"report\.json: extra\.images"):
        images.write(exported.folder, tmp_path, said, None)


@needs_chromium
def test_images_stop_in_chromium(exported):
    with Browser(width=390) as tab:
        tab.open(exported.page)
        faster = "const speed = document.getElementById('speed'); speed.value = '4'"
        tab.value(f"(() => {{ {faster}; speed.dispatchEvent(new Event('change')); }})()")
        tab.wait("document.body.dataset.episodes >= 5")
        assert tab.value("document.body.dataset.selfTest") == "0"
        pairs = "[...document.querySelectorAll('#counters div')]"
        counted = dict(tab.value(f"{pairs}.map((pair) => [...pair.children].map((part) => part.textContent))"))
        assert int(counted["images"]) >= 5
        assert counted["energy"].endswith(" mJ")
        assert tab.value("document.documentElement.scrollWidth") <= 390
        assert tab.complaints == []
