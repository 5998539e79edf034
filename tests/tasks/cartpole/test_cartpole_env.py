"""CartPole against Gymnasium, which steps in float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv

import edgerl
from edgerl.simulator.trigonometry import sincos
from edgerl.tasks.cartpole.env import CartPoleParams, CartPoleState

TOLERANCE = 2e-6
LIMITS = (2.4, 12 * 2 * math.pi / 360)


def _gymnasium_step(states, actions):
    """Next states float64 [N, 4] and terminated bool [N], by Gymnasium's own code."""
    env = CartPoleVectorEnv(len(states), max_episode_steps=10**9)
    env.reset(seed=0)
    env.state = states.T.astype(np.float64)
    _, _, terminated, _, _ = env.step(actions)
    return env.state.T, terminated


def _our_step(states, actions, params=None):
    env = edgerl.make("CartPole-v1")
    columns = [jnp.asarray(states[:, i], jnp.float32) for i in range(4)]
    state = CartPoleState(*columns, jnp.zeros(len(states), jnp.int32))
    step = jax.jit(jax.vmap(env.step, in_axes=(None, 0, 0, None)))
    obs, state, reward, terminated, truncated, _ = step(jax.random.key(0), state, jnp.asarray(actions), params)
    np.testing.assert_array_equal(obs, np.stack([state.x, state.x_dot, state.theta, state.theta_dot], axis=1))
    assert (reward == 1).all()
    assert not truncated.any()
    return np.asarray(obs, np.float64), np.asarray(terminated)


@pytest.mark.parametrize("angle", [0.3, math.pi], ids=["near the top", "all around"])
def test_a_million_steps_are_gymnasiums(angle):
    """500,000 states in each range. Gymnasium is given the same float32 states, widened."""
    rng = np.random.default_rng(int(angle * 10))
    count = 500_000
    states = rng.uniform(-1, 1, (count, 4)).astype(np.float32) * np.float32([3, 4, angle, 4])
    actions = rng.integers(0, 2, count)
    expected, expected_flags = _gymnasium_step(states, actions)
    got, flags = _our_step(states, actions)
    error = np.abs(got - expected)
    assert (error <= TOLERANCE * (1 + np.abs(expected))).all(), error.max(axis=0)
    # A flag may differ only where the state is that close to a limit, and few are.
    near = np.zeros(count, bool)
    for column, limit in zip((0, 2), LIMITS, strict=True):
        near |= np.abs(np.abs(expected[:, column]) - limit) <= TOLERANCE * (1 + limit)
    differ = flags != expected_flags
    assert not (differ & ~near).any()
    assert near.sum() <= 30
    assert differ.sum() <= 5
    assert 0.2 < flags.mean() < 0.99


def test_whole_episodes_are_gymnasiums():
    """Until they end: same lengths, states equal to what float32 carries along."""
    rng = np.random.default_rng(0)
    env, count = edgerl.make("CartPole-v1"), 200
    states = rng.uniform(-0.05, 0.05, (count, 4)).astype(np.float32)
    actions = rng.integers(0, 2, (150, count))
    theirs = CartPoleVectorEnv(count, max_episode_steps=10**9)
    theirs.reset(seed=0)
    theirs.state = states.T.astype(np.float64)
    state = CartPoleState(*map(jnp.asarray, states.T), jnp.zeros(count, jnp.int32))
    step = jax.jit(jax.vmap(env.step, in_axes=(None, 0, 0)))
    running = np.ones(count, bool)
    for action in actions:
        expected, _, ended, _, _ = theirs.step(action)
        obs, state, _, terminated, _, _ = step(jax.random.key(0), state, jnp.asarray(action))
        np.testing.assert_allclose(np.asarray(obs)[running], expected[running], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(np.asarray(terminated)[running], ended[running])
        running &= ~ended
    assert running.sum() == 0


def test_trigonometry_is_accurate_where_the_pole_goes():
    x = np.concatenate([np.linspace(-4, 4, 100_001), np.linspace(-2000, 2000, 100_001)]).astype(np.float32)
    for got, expected in zip(
        jax.jit(sincos)(x), (np.sin(x, dtype=np.float64), np.cos(x, dtype=np.float64)), strict=True
    ):
        assert np.abs(np.asarray(got) - expected).max() < 2e-7


def _still(time):
    """Upright and at rest, with both pushes in turn: far from every limit."""
    zero = jnp.float32(0)
    return CartPoleState(zero, zero, zero, zero, jnp.int32(time))


@pytest.mark.parametrize(("id", "limit"), [("CartPole-v0", 200), ("CartPole-v1", 500)])
def test_the_clock_truncates_and_does_not_terminate(id, limit):
    env = edgerl.make(id)
    for time, expected in ((limit - 2, False), (limit - 1, True), (limit, True)):
        _, state, reward, terminated, truncated, _ = env.step(jax.random.key(0), _still(time), jnp.int32(1))
        assert (bool(terminated), bool(truncated), float(reward)) == (False, expected, 1.0)
        assert int(state.time) == time + 1  # no reset


def test_a_fall_on_the_last_step_is_a_termination():
    env = edgerl.make("CartPole-v1")
    falling = _still(499).replace(theta=jnp.float32(0.3))
    *_, terminated, truncated, _ = env.step(jax.random.key(0), falling, jnp.int32(0))
    assert (bool(terminated), bool(truncated)) == (True, False)


def test_starts_are_uniform_and_small():
    env = edgerl.make("CartPole-v1")
    obs, state = jax.vmap(env.reset)(jax.random.split(jax.random.key(0), 20_000))
    assert obs.min() >= -0.05
    assert obs.max() < 0.05
    deviation = 0.1 / math.sqrt(12)
    assert np.abs(obs.mean(axis=0)).max() < 4 * deviation / math.sqrt(len(obs))
    np.testing.assert_allclose(obs.std(axis=0), deviation, rtol=0.02)
    assert np.abs(np.corrcoef(obs.T) - np.eye(4)).max() < 0.03
    assert (state.time == 0).all()


# One state about to leave the track, one about to fall, one at rest; the clock runs out on the second step.
STATES = [(2.37, 2.0, 0.05, 0.5), (1.5, 2.0, 0.2, 1.5), (0.0, 0.0, 0.0, 0.0)]


@jax.jit
def _two_steps(params):
    """Observations and flags of two steps from each of STATES."""
    env = edgerl.make("CartPole-v1")

    def play(numbers):
        state, results = CartPoleState(*numbers, jnp.int32(498)), []
        for _ in range(2):
            obs, state, _, *flags, _ = env.step(jax.random.key(0), state, jnp.int32(1), params)
            results.append((obs, flags))
        return results

    return jax.tree.leaves(jax.vmap(play)(jnp.asarray(STATES)))


@pytest.mark.parametrize("field", CartPoleParams.__dataclass_fields__)
def test_each_parameter_alone_can_be_batched(field):
    """Each lane steps as with its own value alone, and every parameter has an effect."""
    params = jax.tree.map(jnp.asarray, CartPoleParams())
    values = jnp.asarray([1, 2]) * getattr(params, field)
    axes = CartPoleParams(*[0 if f == field else None for f in CartPoleParams.__dataclass_fields__])
    both = jax.vmap(_two_steps, in_axes=(axes,))(params.replace(**{field: values}))
    for lane in range(2):
        alone = _two_steps(params.replace(**{field: values[lane]}))
        for a, b in zip(both, alone, strict=True):
            np.testing.assert_allclose(a[lane], b, rtol=1e-5, atol=1e-7)
    assert any((np.asarray(x[0]) != np.asarray(x[1])).any() for x in both)


def test_derived_values_follow_the_parameters():
    params = CartPoleParams().replace(masspole=0.5, length=2.0)
    assert params.total_mass == 1.5
    assert params.polemass_length == 1.0
    batch = CartPoleParams().replace(masspole=jnp.asarray([0.1, 0.4]))
    np.testing.assert_allclose(batch.total_mass, [1.1, 1.4], rtol=1e-6)


@pytest.mark.parametrize("masspole", [0.05, 0.5])
def test_a_heavier_pole_moves_as_gymnasiums_would(masspole):
    """By hand: Barto, Sutton & Anderson's equations in float64."""
    x, v, a, w = 0.1, -0.2, 0.05, 0.3
    total, moment, force = 1 + masspole, masspole * 0.5, 10.0
    temp = (force + moment * w**2 * math.sin(a)) / total
    w_dot = (9.8 * math.sin(a) - math.cos(a) * temp) / (0.5 * (4 / 3 - masspole * math.cos(a) ** 2 / total))
    v_dot = temp - moment * w_dot * math.cos(a) / total
    expected = [x + 0.02 * v, v + 0.02 * v_dot, a + 0.02 * w, w + 0.02 * w_dot]
    got, _ = _our_step(np.array([[x, v, a, w]]), np.array([1]), CartPoleParams().replace(masspole=masspole))
    np.testing.assert_allclose(got[0], expected, rtol=2e-6)


def test_spaces():
    env = edgerl.make("CartPole-v1")
    space = env.observation_space(CartPoleParams().replace(x_threshold=1.0))
    assert space.high[0] == 2.0
    assert space.high[1] == math.inf
    assert env.action_space().n == 2
