"""CartPole in the page of an export: the JavaScript of its steps and episodes against the JAX environment."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import node
import numpy as np
import pytest

import edgerl
from edgerl.tasks.cartpole.env import CartPoleParams, CartPoleState

SCRIPT = "tasks/cartpole/demo.mjs"
TOLERANCE = 2e-6  # of a step: the page computes with 64 bits inside of it, JAX with 32

pytestmark = node.needs_node


def _params(**changed):
    """As an export's report has them."""
    return {name: float(value) for name, value in dataclasses.asdict(CartPoleParams(**changed)).items()}


def _jax_step(states, actions, params):
    env = edgerl.make("CartPole-v1")
    columns = [jnp.asarray(states[:, i]) for i in range(4)]
    state = CartPoleState(*columns, jnp.zeros(len(states), jnp.int32))
    step = jax.jit(jax.vmap(env.step, in_axes=(None, 0, 0, None)))
    obs, _, _, terminated, _, _ = step(jax.random.key(0), state, jnp.asarray(actions), params)
    return np.asarray(obs), np.asarray(terminated)


@pytest.mark.parametrize(
    "changed", [{}, {"gravity": 3.7, "masspole": 0.5, "length": 1.2, "force_mag": 4.0, "tau": 0.05}]
)
def test_ten_thousand_steps_are_the_simulators(changed):
    rng = np.random.default_rng(1)
    states = rng.uniform(-1, 1, (10_000, 4)).astype(np.float32) * np.float32([3, 4, 0.5, 4])
    actions = rng.integers(0, 2, len(states))
    given = {"states": states.tolist(), "actions": actions.tolist(), "params": _params(**changed)}
    step = "given.states.map((state, i) => stepCartPole(state, given.actions[i], given.params))"
    found = node.run(
        [SCRIPT],
        f"(() => {{ const next = {step};"
        " return {next, fallen: next.map((state) => hasFallen(state, given.params))}; })()",
        given,
    )
    expected, terminated = _jax_step(states, actions, CartPoleParams(**changed))
    np.testing.assert_allclose(found["next"], expected, rtol=TOLERANCE, atol=TOLERANCE)
    # A flag may differ only where a state is as close to a limit as its numbers may differ.
    limits = np.array([2.4, math.radians(12)])
    near = (np.abs(np.abs(expected[:, [0, 2]]) - limits) <= TOLERANCE * (1 + limits)).any(axis=1)
    assert near.sum() <= 5
    assert (np.array(found["fallen"]) == terminated)[~near].all()
    assert 0.2 < terminated.mean() < 0.99


PLAY = """(() => {
  const play = createPlay(given, null);
  const [seen, rewards] = [[], []];
  play.reset(() => given.random.pop());
  for (const action of given.actions) {
    seen.push([...play.observe()]);
    const {reward, ended} = play.step(action);
    rewards.push(reward);
    if (ended !== null) return {seen, rewards, ended};
  }
})()"""


@pytest.mark.parametrize(
    ("env_id", "limit", "ended"),
    [
        ("CartPole-v1", 500, "It fell after {} steps."),
        ("CartPole-v1", 5, "It stood for all {} steps of an episode."),
        ("PositionOnlyCartPole-v1", 500, "It fell after {} steps."),
    ],
)
def test_an_episode_is_the_simulators(env_id, limit, ended):
    """From the same start, always to the right."""
    env, params = edgerl.make(env_id), CartPoleParams(max_steps_in_episode=limit)
    start = np.float32([0.01, -0.02, 0.03, 0.04])
    state = CartPoleState(*map(jnp.float32, start), jnp.int32(0))
    kept = [0, 1, 2, 3] if env_id == "CartPole-v1" else [0, 2]
    seen, rewards, done = [start[kept]], [], False
    while not done:
        obs, state, reward, terminated, truncated, _ = env.step(jax.random.key(0), state, jnp.int32(1), params)
        seen.append(obs)
        rewards.append(float(reward))
        done = bool(terminated | truncated)
    data = {"params": _params(max_steps_in_episode=limit), "sizes": [len(kept), 8, 2], "actions": [1] * 500}
    found = node.run([SCRIPT], PLAY, {**data, "random": [float((x + 0.05) / 0.1) for x in start[::-1].astype(float)]})
    assert found["ended"] == ended.format(len(rewards))
    assert found["rewards"] == rewards
    np.testing.assert_allclose(found["seen"], seen[:-1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("change", [{"sizes": [3, 8, 2]}, {"sizes": [4, 8, 3]}, {"params": {"gravity": 9.8}}])
def test_an_export_that_is_not_cartpole_has_the_recorded_observations(change):
    data = {"params": _params(), "sizes": [4, 8, 2], **change}
    assert node.run([SCRIPT], "createPlay(given, null)", data) is None
