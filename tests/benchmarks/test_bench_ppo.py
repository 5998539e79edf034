"""`ppo`: its result's layout with dummies, what its goals say, and that RLtools' pendulum is Pendulum-v1."""

import ctypes
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import conftest
import jax
import jax.numpy as jnp
import numpy as np
import peers
import ppo
import pytest
import report
import rounds
from matplotlib import pyplot
from ppo_problems import CARTPOLE, PENDULUM

import edgerl

PATH = {"PYTHONPATH": str(conftest.BENCHMARKS / "contestants")}
DUMMY = str(Path(__file__).with_name("dummy.py"))
RETURNS = {"rltools": -300.0, "rejax recommended": -150.0}


@pytest.fixture
def result(monkeypatch):
    """Of Pendulum-v1 alone, with dummies: edgerl solves it, one peer does not, another refuses."""
    dummy = rounds.Contestant("edgerl", DUMMY, ({"return": -150.0},), None, PATH)
    others = [replace(dummy, name=name, candidates=({"return": value},)) for name, value in RETURNS.items()]
    entrants = [dummy, *others, replace(dummy, name="sbx", candidates=({"refuse": True},))]
    problem = replace(PENDULUM, peers=())
    monkeypatch.setattr(type(problem), "contestants", lambda self, figure: entrants)
    monkeypatch.setattr(ppo, "PROBLEMS", (CARTPOLE, problem))
    monkeypatch.setattr(ppo, "SEEDS", 3)
    return json.loads(json.dumps(ppo.run(True, False, ["Pendulum-v1"]), allow_nan=False))


def test_layout_of_the_result(result):
    assert list(result) == ["benchmark", "date", "machine", "contestants", "ratios", "goals"]
    assert list(result["contestants"]) == [f"Pendulum-v1: {name}" for name in ("edgerl", *RETURNS, "sbx")]
    assert [r["seed"] for r in result["contestants"]["Pendulum-v1: rltools"]["repeats"]] == [0, 1, 2]
    medians = [numbers.get("median", {}).get("solved") for numbers in result["contestants"].values()]
    assert medians == [3, 0, 3, None]
    assert result["ratios"]["Pendulum-v1: edgerl / sbx: seconds"] is None
    assert result["ratios"]["Pendulum-v1: edgerl / rltools: seconds"]["of_medians"] > 0
    assert result["goals"]["Pendulum-v1: seeds of 3 solved"]["met"] is True
    assert result["goals"]["Pendulum-v1: edgerl / rltools: seconds"]["at_most"] == 0.25


def test_table(result, capsys):
    report.show(result, False, ppo.rows(result), ppo.HEADER)
    shown = capsys.readouterr().out
    assert "0 of 3" in shown
    assert "failed: ValueError: cannot do that" in shown


def test_figure_has_a_panel_for_each_environment(tmp_path):
    curves = [{"curve": [(0.5, value - 100.0), (1.0, value)]} for value in (-150.0, -160.0)]
    shown = {"repeats": curves, "median": {"seconds": 2.0}}
    contestants = {"CartPole-v1: edgerl": {"absent": "no"}, "Pendulum-v1: edgerl": shown, "Pendulum-v1: sbx": {}}
    sizes = []
    for name, found in (("both", contestants), ("one", {"Pendulum-v1: edgerl": shown})):
        ppo.draw({"contestants": found}, tmp_path / f"{name}.png")
        sizes.append(pyplot.imread(tmp_path / f"{name}.png").shape[1])
    assert sizes[0] > 1.5 * sizes[1]


def test_fastest_settings_that_solve_most_trial_seeds_are_chosen():
    """The fastest solve too few; of the two that solve enough, the faster counts."""
    outcome = {"hasty": (1.0, -900.0), "good": (2.0, -150.0), "slow": (3.0, -140.0)}

    class Worker:
        def prepare(self, settings):
            self.seconds, self.found = outcome[settings["who"]]
            return {"compile_s": 0.0}

        def run(self, seed):
            return {"seconds": self.seconds, "cpu_seconds": 1.0, "return": self.found}

    contestant = rounds.Contestant("any", DUMMY, tuple({"who": who} for who in outcome))
    settings, tried = ppo.chooser(PENDULUM)(Worker(), contestant)
    assert settings == {"who": "good"}
    assert [trial["solved"] for trial in tried] == [0, len(ppo.TRIAL_SEEDS), len(ppo.TRIAL_SEEDS)]


def test_goal_of_seeds_counts_steps_where_they_are_bounded():
    repeats = [{"return": 500.0, "steps": CARTPOLE.most_steps + more, "seconds": 1.0} for more in (0, 1)]
    many = {ppo.MANY_TIMES: None}
    missing = {f"edgerl / {name}: seconds": None for name in CARTPOLE.most_times}
    made = ppo.goals(CARTPOLE, {"edgerl": {"repeats": repeats}}, missing | many)
    assert made[f"seeds of {ppo.SEEDS} solved within 50,000 steps"]["measured"] == 1


@pytest.fixture(scope="module")
def pendulum(tmp_path_factory):
    """`pendulum.h` as a library, compiled as RLtools compiles it."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    folder = tmp_path_factory.mktemp("pendulum")
    source, library = folder / "pendulum.cpp", folder / "pendulum.so"
    source.write_text(
        """#include "pendulum.h"
        extern "C" void play(int n, const float *torque, float *theta, float *theta_dot, float *obs, float *reward) {
            for (int i = 0; i < n; i++) {
                pendulum::State state = {theta[i], theta_dot[i]};
                reward[i] = pendulum::reward(state, torque[i]);
                state = pendulum::next(state, torque[i]);
                pendulum::observe(state, obs + 3 * i);
                theta[i] = state.theta, theta_dot[i] = state.theta_dot;
            }
        }"""
    )
    headers = conftest.BENCHMARKS / "rltools_environments" / "Pendulum-v1"
    # Not with -ffast-math, as RLtools has it: a library linked so switches subnormal numbers off in the whole process.
    options = ["-std=c++17", "-O3", "-march=native", "-Wall", "-Wextra", "-Werror", f"-I{headers}"]
    subprocess.run([compiler, *options, "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def test_pendulum_in_cpp_is_edgerls(pendulum):
    """A million random transitions, torques beyond their bounds among them."""
    count, rng = 1_000_000, np.random.default_rng(0)
    torque = rng.uniform(-3, 3, count).astype(np.float32)
    theta = rng.uniform(-np.pi, np.pi, count).astype(np.float32)
    theta_dot = rng.uniform(-8, 8, count).astype(np.float32)
    env = edgerl.make("Pendulum-v1")
    _, state = env.reset(jax.random.key(0))

    @jax.jit
    @jax.vmap
    def step(theta, theta_dot, torque):
        start = state.replace(theta=theta, theta_dot=theta_dot)
        obs, following, reward, *_ = env.step(jax.random.key(0), start, torque[None])
        return obs, following.theta, following.theta_dot, reward

    obs, following, following_dot, reward = (np.asarray(x) for x in step(*map(jnp.asarray, (theta, theta_dot, torque))))
    ours_obs, ours_reward = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
    arrays = (torque, theta, theta_dot, ours_obs, ours_reward)
    pointers = [x.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for x in arrays]
    pendulum.play(ctypes.c_int(count), *pointers)
    np.testing.assert_allclose(ours_reward, reward, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours_obs, obs, atol=5e-6)
    np.testing.assert_allclose(theta_dot, following_dot, atol=5e-6)
    turn = np.abs(theta - following)  # -pi and pi are the same angle
    assert np.minimum(turn, 2 * np.pi - turn).max() < 5e-6
    assert np.abs(theta).max() <= np.float32(np.pi)
    assert np.abs(theta_dot).max() == 8


@pytest.mark.long
def test_rltools_trains_where_it_is_installed():
    """Its training through our environment's glue gets better than chance, which has a mean of about -1,200."""
    rltools = next(one for one in PENDULUM.contestants(False) if one.name == "rltools")
    try:
        with rounds.started(rltools, offline=True) as worker:
            worker.prepare(rltools.candidates[0])
            done = worker.run(seed=1)
    except peers.PeerAbsentError as absent:
        pytest.skip(str(absent))
    assert -1000 < done["return"] < -100
