"""Pendulum in the page of an export: the JavaScript of its steps and episodes against the JAX environment."""

import dataclasses

import jax
import jax.numpy as jnp
import node
import numpy as np
import pytest

import edgerl
from edgerl.tasks.pendulum.env import PendulumParams, PendulumState

SCRIPT = "tasks/pendulum/demo.mjs"
TOLERANCE = 3e-6  # of a step: the page computes with 64 bits inside of it, JAX with 32

pytestmark = node.needs_node


def _params(**changed):
    """As an export's report has them."""
    return {name: float(value) for name, value in dataclasses.asdict(PendulumParams(**changed)).items()}


@pytest.mark.parametrize("changed", [{}, {"gravity": 3.7, "mass": 0.5, "length": 1.2, "max_torque": 1.5, "tau": 0.02}])
def test_ten_thousand_steps_are_the_simulators(changed):
    rng = np.random.default_rng(1)
    states = rng.uniform(-1, 1, (10_000, 2)).astype(np.float32) * np.float32([np.pi, 8])
    actions = rng.uniform(-2.5, 2.5, len(states)).astype(np.float32)  # some are beyond the limit
    given = {"states": states.tolist(), "actions": actions.tolist(), "params": _params(**changed)}
    found = node.run([SCRIPT], "given.states.map((s, i) => stepPendulum(s, given.actions[i], given.params))", given)
    state = PendulumState(*jnp.asarray(states.T), jnp.zeros(len(states), jnp.int32))
    step = jax.jit(jax.vmap(edgerl.make("Pendulum-v1").step, in_axes=(None, 0, 0, None)))
    _, after, reward, *_ = step(jax.random.key(0), state, jnp.asarray(actions)[:, None], PendulumParams(**changed))
    made = np.array([step["state"] for step in found])
    turned = np.abs(made[:, 0] - after.theta)
    assert np.minimum(turned, 2 * np.pi - turned).max() < TOLERANCE  # -pi and pi are one angle
    np.testing.assert_allclose(made[:, 1], after.theta_dot, rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose([step["reward"] for step in found], reward, rtol=TOLERANCE, atol=TOLERANCE)


PLAY = """(() => {
  const play = createPlay(given);
  play.reset(() => given.random.pop());
  const seen = [];
  for (;;) {
    seen.push(play.observe());
    const {ended} = play.step([given.torque]);
    if (ended !== null) return {seen, ended};
  }
})()"""


@pytest.mark.parametrize("features", [2, 3])
def test_an_episode_is_the_simulators(features):
    """From the same start, with one torque, for thirty steps."""
    env, params = edgerl.make("Pendulum-v1", velocities=features == 3), PendulumParams(max_steps_in_episode=30)
    base = edgerl.make("Pendulum-v1")
    state, seen = PendulumState(jnp.float32(0.5), jnp.float32(-0.25), jnp.int32(0)), []
    for _ in range(30):
        obs, state, *_ = base.step(jax.random.key(0), state, jnp.float32([0.7]), params)
        seen.append(np.asarray(obs)[:features])
    assert env.observation_space(params).shape == (features,)
    random = [(value + 1) / 2 for value in (-0.25, 0.5 / np.pi)]
    data = {"params": _params(max_steps_in_episode=30), "sizes": [features, 8, 1], "continuous": True}
    found = node.run([SCRIPT], PLAY, {**data, "random": random, "torque": 0.7})
    assert found["ended"] == "The episode's 30 steps are over."
    np.testing.assert_allclose(found["seen"][1:], seen[:-1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("change", [{"sizes": [4, 8, 1]}, {"continuous": False}, {"params": {"gravity": 9.8}}])
def test_an_export_that_is_not_pendulum_has_the_recorded_observations(change):
    data = {"params": _params(), "sizes": [3, 8, 1], "continuous": True, **change}
    assert node.run([SCRIPT], "createPlay(given)", data) is None
