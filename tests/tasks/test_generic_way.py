"""An environment of one's own on the whole way, by commands and by the face: the tutorial's, and a board of cells."""

import dataclasses
import json
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from environments import Fixed, FixedParams, Walk
from flax import struct
from PIL import Image

import edgerl
from edgerl import UserError, cli, deploy
from edgerl.tasks.generic import settings
from edgerl.tasks.registry import task_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "thermostat.py"
WHAT = f"{EXAMPLE}:Thermostat"
SMALL = ("num_seeds=2", "ppo.num_updates=25", "evaluation_envs=64")


def shown(capsys, *arguments):
    """The JSON that a command prints."""
    assert cli.main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heat") / "run"
    assert cli.main(["train", WHAT, "--set", *SMALL, "--out", str(folder)]) == 0
    return folder


def test_the_commands(run, tmp_path, capsys):
    found = shown(capsys, "evaluate", run)
    assert (found["environment"], found["policy_int8"]["episodes"]) == ("Thermostat-v0", 2000)
    assert found["policy_int8"]["low"] > found["random"]["high"] + 100
    assert found["int8_ahead_of_random"]["low"] > 0
    names = {Path(path).name for path in shown(capsys, "figures", run)["figures"]}
    assert names == {"learning_curve.png", "returns.png", "episode.png"}
    out = tmp_path / "c"
    report = shown(capsys, "export", run, "--out", out)
    assert report["environment"]["id"] == "Thermostat-v0"
    assert report["closed_loop"]["mean"] == pytest.approx(found["policy_int8"]["mean"])
    assert report["closed_loop"]["float32"]["mean"] == pytest.approx(found["policy_float32"]["mean"])
    assert shown(capsys, "verify", out, "--targets", "host C", "ATmega328P")["passed"]
    for policy in (run, out):
        played = shown(capsys, "simulate", WHAT, "--policy", policy, "--envs", 512, "--steps", 120)
        assert played["returns"]["mean"] > found["random"]["high"] + 100


def test_the_face(run, tmp_path):
    opened = edgerl.open_run(run)
    assert opened.env.id == "Thermostat-v0"
    assert opened.policy.sizes == (2, 32, 32, 2)
    assert opened.config.evaluation_steps == 120
    assert yaml.safe_load((run / "config.yaml").read_text())["ppo"]["observation_scale"] == [
        *opened.config.ppo.observation_scale
    ]
    again = edgerl.train(WHAT, tmp_path / "again", num_seeds=2, evaluation_envs=64, ppo={"num_updates": 25})
    for a, b in zip(again.policy.kernels, opened.policy.kernels, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(UserError, match=r"unknown key 'num_seed'; known keys.*did you mean 'num_seeds'"):
        edgerl.train(WHAT, tmp_path / "wrong", num_seed=2)
    assert not (tmp_path / "wrong").exists()


def inward(key, obs):
    return 1 - jnp.sign(obs[0]).astype(int)


@dataclasses.dataclass(frozen=True)
class Drawn(Walk):
    """Keeps near 0, and can be drawn."""

    id: str = "Drawn-v0"
    colours: int = 3
    baselines: ClassVar = {"inward": inward}

    def step(self, key, state, action, params=None):
        obs, state, reward, *others = super().step(key, state, action, params)
        return obs, state, 1.0 - jnp.abs(reward), *others

    def render(self, state):
        picture = jnp.zeros((8, 16, self.colours))
        return picture.at[:, jnp.clip(jnp.round(8 + state.x), 0, 15).astype(int)].set(1.0)


QUICK = {"num_seeds": 1, "evaluation_envs": 16, "ppo": {"num_updates": 2, "num_envs": 8, "num_steps": 16}}


@pytest.mark.long
def test_an_environment_that_is_made_is_found_again(tmp_path):
    run = edgerl.train(Drawn(), tmp_path / "run", **QUICK)
    assert edgerl.open_run(tmp_path / "run").env == Drawn()
    drawn = {path.name: path for path in run.figures()}
    with Image.open(drawn["episode.gif"]) as animated:
        assert (animated.width, animated.height > 8 + 3 * 12) == (16, True)  # the picture, and a caption above it
    found = run.evaluate()
    assert [row[0] for row in run.task.table(found)[1:5]] == ["random", "inward", "policy_float32", "policy_int8"]
    assert found["inward"]["low"] > found["random"]["high"]
    other = edgerl.train(Drawn(colours=4), tmp_path / "other", **QUICK)
    with pytest.raises(UserError, match=r"an environment that its own program made.*env=…"):
        edgerl.open_run(tmp_path / "other")
    assert edgerl.open_run(tmp_path / "other", env=Drawn(colours=4)).env == other.env
    with pytest.raises(UserError, match=r"render returns an array of shape \(8, 16, 4\); expected \[height, width, 3"):
        other.figures()


@struct.dataclass
class AimParams:
    max_steps_in_episode: int = 1


@dataclasses.dataclass(frozen=True)
class Aim:
    """Two numbers are shown; the action should be their places in ranges of its own."""

    id: str = "Aim-v0"
    default_params: AimParams = dataclasses.field(default_factory=AimParams)
    action_names: ClassVar = ("left, mm", "right, V")
    space: ClassVar = edgerl.Box((-1.0, 5.0), (3.0, 5.5), (2,))

    def observation_space(self, params=None):
        return edgerl.Box(-1.0, 1.0, (2,))

    def action_space(self, params=None):
        return self.space

    def reset(self, key, params=None):
        aim = jax.random.uniform(key, (2,), jnp.float32, -1, 1)
        return aim, aim

    def step(self, key, state, action, params=None):
        low, high = self.space.bounds()
        reward = -jnp.sum(jnp.square((action - low) / (high - low) * 2 - 1 - state))
        return state, state, reward, jnp.bool_(True), jnp.bool_(False), {}


@pytest.mark.long
def test_continuous_actions_on_the_whole_way(tmp_path):
    ppo = {"num_envs": 64, "num_steps": 16, "num_updates": 40, "num_minibatches": 8, "entropy_coefficient": 0.0}
    run = edgerl.train(Aim(), tmp_path / "run", num_seeds=2, evaluation_envs=64, ppo=ppo)
    assert run.policy.space.shape == (2,)
    found = run.evaluate()
    assert found["random"]["mean"] == pytest.approx(-4 / 3, rel=0.1)  # of two numbers, each (1 + 1) / 3
    assert found["policy_float32"]["mean"] > -0.05
    assert found["policy_int8"]["mean"] > found["policy_float32"]["mean"] - 0.01
    assert {path.name for path in run.figures()} == {"learning_curve.png", "returns.png", "episode.png"}
    report = run.export(tmp_path / "c")
    assert report["closed_loop"]["mean"] == pytest.approx(found["policy_int8"]["mean"])
    assert report["closed_loop"]["float32"]["mean"] == pytest.approx(found["policy_float32"]["mean"])
    assert edgerl.verify(tmp_path / "c", 2000, targets=("host C",))["passed"]
    assert "[1] right, V: 5 to 5.498" in (tmp_path / "c" / "policy.h").read_text()
    opened = edgerl.open_run(tmp_path / "run", env=Aim())
    for player in (opened.policy, deploy.load(tmp_path / "c")):
        played = edgerl.simulate(Aim(), player, jax.random.key(0), num_envs=256, num_steps=4)
        assert played.returns.mean > -0.06


def test_an_environment_says_what_training_begins_with():
    class Told(Aim):
        training: ClassVar = {"num_seeds": 3, "ppo": {"num_updates": 7}}

    plain, told = settings.of(Aim()), settings.of(Told())
    assert (told["num_seeds"], told["ppo"]["num_updates"]) == (3, 7)
    assert told["ppo"]["learning_rate"] == plain["ppo"]["learning_rate"]
    assert plain["ppo"]["num_updates"] != 7


@pytest.mark.parametrize("name", ["Pendulum-v1", "MountainCarContinuous-v0"])
def test_what_shipped_environments_begin_with_is_in_range(name):
    config = task_of(name).settings(None, ["num_seeds=1"])
    config.check()
    assert config.ppo.discount == edgerl.make(name).training["ppo"]["discount"]


class Unbounded(Walk):
    def action_space(self, params=None):
        return edgerl.Box(-np.inf, 1.0, (1,))


class Both(Walk):
    def step(self, key, state, action, params=None):
        obs, state, reward, terminated, truncated, info = super().step(key, state, action, params)
        return obs, state, reward, terminated | truncated, terminated | truncated, info


@pytest.mark.parametrize(
    ("env", "says"),
    [
        (Unbounded(), "takes actions of Box.*PPO here learns Discrete actions and boxes with finite bounds"),
        (Both(), "rule 'never both'.*check_environment"),
        (Walk, "it is a class; make one"),
    ],
)
def test_an_environment_that_cannot_be_trained_is_one_line(env, says, tmp_path):
    with pytest.raises(UserError, match=says) as caught:
        edgerl.train(env, tmp_path / "run", **QUICK)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_scales_are_those_of_random_play():
    obs = np.zeros((10, 10, 3))
    obs[..., 0] = np.arange(-50, 50).reshape(10, 10)
    obs[0, 0, 1] = 7.0  # seldom, but not nothing
    assert settings.observation_scale(obs) == [50.0, 7.0, 1.0]
    assert settings.horizon(Walk()) == settings.LONGEST
    proposed = settings.proposed(Fixed(default_params=FixedParams(length=5, reward=2.0)))
    # Five rewards of 2 are to come, then four, … one: the root of the mean square of their discounted sums.
    sums = np.array([2 * (1 - 0.99**n) / 0.01 for n in range(1, 6)])
    assert proposed["ppo"]["value_scale"] == pytest.approx(np.sqrt(np.mean(sums**2)), rel=0.06)
