"""One seed's environments on several devices: the same episodes, the same curve but for rounding, and again."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import environments
import jax
import numpy as np
import pytest

import edgerl
from edgerl.envs import prng
from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.rl.run.meshes import mesh_of

PROGRAM = """
import hashlib, json, pathlib, sys
sys.path.insert(0, sys.argv[1])
import edgerl
import jax
import numpy as np
from environments import Keyed, Walk
from edgerl.rl.config import PPOConfig, RunConfig
from edgerl.rl.run import loop
from edgerl.rl.run.logs import read_log
from edgerl.rl.run.runner import PPO

jax.config.update("jax_disable_most_optimizations", True)
SMALL = PPOConfig(num_updates=4, num_envs=8, num_steps=16, epochs=2, num_minibatches=4, hidden_sizes=(8,))
CASES = {
    "discrete": (Walk(), SMALL),
    "continuous": (edgerl.make("Pendulum-v1"), SMALL.replace(normalise_observations=True, normalise_returns=True)),
    "memory": (Keyed(), SMALL.replace(gru_size=4, num_minibatches=2)),
}

def trained(env, ppo, mesh, seeds):
    training = PPO(env, RunConfig(num_seeds=seeds, ppo=ppo, mesh=mesh, checkpoint_every=1))
    state, curve, played = training.placed(training.init()), [], None
    for done in range(ppo.num_updates):
        state, metrics = training.update(state, done, 1)
        curve.append({name: values[0].tolist() for name, values in metrics.items()})
        played = np.asarray(training.saved(state).playing.obs).tolist() if played is None else played
    leaves = [np.asarray(x) for x in jax.tree.leaves(training.saved(state))]
    bits = hashlib.sha256(b"".join(x.tobytes() for x in leaves)).hexdigest()
    return {"curve": curve, "played": played, "bits": bits, "devices": training.mesh.size}

def moved(folder):
    # Two updates on one mesh, the others on another: what the log says of all.
    env, ppo = CASES["discrete"]
    for mesh, marks in ((1, (2,)), (2, (4,))):
        training = PPO(env, RunConfig(num_seeds=2, ppo=ppo, mesh=mesh, checkpoint_every=1))
        training.marks = marks
        loop.train(training, pathlib.Path(folder), progress=False)
    log = read_log(pathlib.Path(folder) / "log.csv")
    return {name: values.reshape(4, 2).tolist() for name, values in log.items()}

MESHES = {"discrete": (2, (1, 2, 2)), "continuous": (1, (1, 4)), "memory": (1, (1, 2))}
name = sys.argv[2]
print(json.dumps(moved(sys.argv[3]) if name == "moved" else [
    trained(*CASES[name], mesh, MESHES[name][0]) for mesh in MESHES[name][1]
]))
"""


def found(name: str, folder: Path = Path()) -> Any:
    """What the program says of a name, with four CPU devices."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_NUM", "XLA"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(environments.__file__).parent), name, str(folder)],
        env={**kept, "JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def discrete() -> list[dict]:
    """Two seeds that choose among actions, trained on one device each, and twice on two each."""
    return found("discrete")


def assert_learns_the_same(alone: dict, shared: list[dict]) -> None:
    for one in shared:
        np.testing.assert_allclose(one["played"], alone["played"], rtol=1e-4, atol=1e-5)
        for ours, whole in zip(one["curve"], alone["curve"], strict=True):
            assert ours["episodes"] == whole["episodes"]
            for metric in ours:
                np.testing.assert_allclose(ours[metric], whole[metric], rtol=2e-3, atol=2e-4, err_msg=metric)
    assert alone["bits"] != shared[-1]["bits"]  # or nothing was shared out


def test_a_seed_on_two_devices_learns_what_it_learns_on_one(discrete):
    assert [one["devices"] for one in discrete] == [2, 4, 4]
    assert_learns_the_same(discrete[0], discrete[1:])


def test_the_same_mesh_gives_the_same_bits(discrete):
    assert discrete[1] == discrete[2]


@pytest.mark.long
@pytest.mark.parametrize(("name", "devices"), [("continuous", [1, 4]), ("memory", [1, 2])])
def test_normalisation_and_memory_are_shared_out_as_well(name, devices):
    alone, shared = found(name)
    assert [alone["devices"], shared["devices"]] == devices
    assert_learns_the_same(alone, [shared])


@pytest.mark.long
def test_a_checkpoint_moves_to_another_mesh(discrete, tmp_path):
    moved = found("moved", tmp_path)
    for metric in discrete[0]["curve"][0]:
        curve = [update[metric] for update in discrete[0]["curve"]]
        np.testing.assert_allclose(moved[metric], curve, rtol=2e-3, atol=2e-4, err_msg=metric)


@pytest.mark.parametrize("draw", [jax.random.normal, jax.random.gumbel, jax.random.bits])
def test_parts_of_a_draw_are_the_whole_one(draw):
    key = prng.new_key(np.uint32(3), np.uint32(4))
    parts = [draw(prng.part_of(key, np.int32(i)), (1, 3, 5)) for i in range(4)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), draw(key, (1, 12, 5)))


def config(mesh: int, num_seeds: int = 1, **ppo: object) -> RunConfig:
    return dataclasses.replace(RunConfig(), mesh=mesh, num_seeds=num_seeds, ppo=PPOConfig(**ppo))


def test_a_mesh_of_its_own_choice(monkeypatch):
    devices = jax.devices()[:1] * 6
    monkeypatch.setattr(jax, "devices", lambda: devices)
    monkeypatch.setattr(jax, "device_count", lambda: 6)
    shapes = {
        (1, 64): (1, 4),  # 64 environments on 6 devices: 4 have as many each
        (1, 60): (1, 6),
        (2, 60): (2, 3),
        (4, 60): (4, 1),
        (8, 60): (6, 1),
    }
    for (seeds, envs), shape in shapes.items():
        ours = config(0, seeds, num_envs=envs, num_steps=60, num_minibatches=1)
        assert mesh_of(ours).devices.shape == shape, (seeds, envs)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (config(1000), "mesh = 1000, but there are [0-9]+ devices"),
        (config(2, num_envs=7), "mesh = 2: ppo.num_envs = 7, and the 112 steps of a minibatch"),
        (config(2, gru_size=4, num_envs=4), "mesh = 2: ppo.num_envs = 4, and the 1 environments of a minibatch"),
    ],
)
def test_meshes_that_do_not_fit(given, message, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    with pytest.raises(edgerl.UserError, match=message):
        mesh_of(given)
