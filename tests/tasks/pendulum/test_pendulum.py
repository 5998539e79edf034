"""Pendulum against Gymnasium, which steps in float64, and against physics."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.envs.classic_control.pendulum import PendulumEnv
from parity import assert_close, played, returns_of, stepped

import edgerl
from edgerl.tasks.pendulum.baselines import energy_shaping
from edgerl.tasks.pendulum.env import PendulumParams, PendulumState

TOLERANCE = 2e-6
ENV = edgerl.make("Pendulum-v1")
PLAYERS = {"random": edgerl.random_policy(ENV), "baseline": energy_shaping}


def gymnasiums(theta, theta_dot, actions):
    """Observations [N, 3], rewards [N] and angles [N] by Gymnasium's own `step`, whose arithmetic takes arrays, too."""
    env = PendulumEnv()
    env.state = np.array([theta, theta_dot], np.float64)
    _, reward, terminated, truncated, _ = env.step(actions.T.astype(np.float64))
    assert (terminated, truncated) == (False, False)
    angle, speed = env.state
    return np.stack([np.cos(angle), np.sin(angle), speed], axis=1), reward, angle


def state_of(theta, theta_dot):
    return PendulumState(jnp.float32(theta), jnp.float32(theta_dot), jnp.zeros(np.shape(theta), jnp.int32))


@pytest.mark.parametrize("player", PLAYERS)
def test_half_a_million_steps_of_play_are_gymnasiums(player):
    states, actions = played(ENV, PLAYERS[player], 2500, 200)
    expected, reward, angle = gymnasiums(states.theta, states.theta_dot, actions)
    obs, after, got_reward, terminated, truncated = stepped(ENV, states, actions)
    assert_close(obs, expected, TOLERANCE)
    assert_close(got_reward, reward, TOLERANCE)
    turns = (after.theta - angle) / (2 * math.pi)
    np.testing.assert_allclose(turns, np.round(turns), atol=TOLERANCE)
    assert not terminated.any()
    np.testing.assert_array_equal(truncated, states.time == 199)
    assert truncated.sum() == 2500


def test_everywhere_and_beyond_the_torques_bounds_too():
    rng = np.random.default_rng(0)
    states = rng.uniform(-1, 1, (100_000, 2)).astype(np.float32) * np.float32([math.pi, 8])
    actions = rng.uniform(-5, 5, (100_000, 1)).astype(np.float32)
    expected, reward, _ = gymnasiums(*states.T, actions)
    obs, _, got_reward, *_ = stepped(ENV, state_of(*states.T), actions)
    assert_close(obs, expected, TOLERANCE)
    assert_close(got_reward, reward, TOLERANCE)
    assert reward.min() < -14


def test_whole_episodes_are_gymnasiums():
    """200 steps, over many turns of Gymnasium's angle, equal to what float32 carries along. A pendulum that all but
    stops near the top multiplies any error: of 500 episodes a few fall to the other side there, and are left out."""
    rng = np.random.default_rng(1)
    count = 500
    theta, speed = (rng.uniform(-1, 1, (2, count)) * [[math.pi], [1]]).astype(np.float32)
    theirs, state = PendulumEnv(), state_of(theta, speed)
    theirs.state = np.array([theta, speed], np.float64)
    step = jax.jit(jax.vmap(ENV.step, in_axes=(None, 0, 0)))
    returns = np.zeros((2, count))
    for action in rng.uniform(-2, 2, (200, count, 1)).astype(np.float32):
        reward = theirs.step(action.T.astype(np.float64))[1]
        obs, state, ours, _, truncated, _ = step(jax.random.key(0), state, action)
        returns += np.stack([ours, reward])
    angle, speed = theirs.state
    assert np.asarray(truncated).all()
    assert np.abs(angle).max() > 4 * math.pi
    error = np.abs(np.asarray(obs) - np.stack([np.cos(angle), np.sin(angle), speed], axis=1)).max(axis=1)
    usual = np.argsort(error)[: int(0.95 * count)]
    assert np.median(error) < 2e-5
    assert error[usual].max() < 1e-2
    np.testing.assert_allclose(returns[0, usual], returns[1, usual], rtol=1e-3)


def energies(state):
    """Of a rod about its end with a mass and a length of 1, in J: 0 when it stands upright."""
    return state.theta_dot**2 / 6 + 5 * (np.cos(state.theta) - 1)


def test_energy_is_kept_without_a_torque_and_changed_by_its_work():
    """The integrator is of first order: with a hundredth of the step, a second changes the energy by little."""
    params = PendulumParams().replace(tau=0.0005, max_speed=100.0)
    rng = np.random.default_rng(2)
    start = state_of(*rng.uniform(-1, 1, (2, 200)) * [[math.pi], [1]])

    @jax.jit
    def play(torque):
        def one(state):
            def step(carry, _):
                state, work = carry
                after = ENV.step(None, state, jnp.array([torque]), params)[1]
                return (after, work + torque * after.theta_dot * params.tau), None

            return jax.lax.scan(step, (state, jnp.float32(0)), None, 2000)[0]

        return jax.vmap(one)(start)

    for torque in (0.0, 1.5):
        state, work = play(torque)
        np.testing.assert_allclose(energies(state) - energies(start), work, atol=0.02)
    assert np.ptp(work) > 1


def test_a_mirrored_pendulum_moves_mirrored():
    states, actions = played(ENV, PLAYERS["random"], 100, 50)
    obs, _, reward, *_ = stepped(ENV, states, actions)
    mirrored = states.replace(theta=-states.theta, theta_dot=-states.theta_dot)
    other_obs, _, other_reward, *_ = stepped(ENV, mirrored, -actions)
    np.testing.assert_array_equal(other_obs, obs * [1, -1, -1])
    np.testing.assert_array_equal(other_reward, reward)


def test_starts_are_uniform():
    obs, state = jax.vmap(ENV.reset)(jax.random.split(jax.random.key(0), 20_000))
    for values, bound in ((state.theta, math.pi), (state.theta_dot, 1.0)):
        values = np.asarray(values) / bound
        assert np.abs(values).max() <= 1 + 1e-6
        assert abs(values.mean()) < 4 / math.sqrt(3 * len(values))
        np.testing.assert_allclose(values.std(), 1 / math.sqrt(3), rtol=0.02)
    np.testing.assert_allclose(obs[:, 1], np.sin(state.theta), atol=TOLERANCE)
    assert (state.time == 0).all()


def test_observations_stay_inside_their_space_where_the_polynomials_overshoot():
    """A sine of 1.0000001 was observed near a quarter of a turn."""
    angle = jnp.linspace(math.pi / 2 - 1e-3, math.pi / 2 + 1e-3, 4096)
    at_rest = state_of(angle, np.zeros(4096))
    params = PendulumParams().replace(tau=0.0)
    obs = jax.vmap(lambda state: ENV.step(None, state, jnp.zeros(1), params)[0])(at_rest)
    assert np.asarray(jax.vmap(ENV.observation_space().contains)(obs)).all()
    assert np.asarray(obs[:, 1]).max() == 1


def test_parameters_decide_about_spaces_and_can_be_batched():
    params = PendulumParams().replace(max_torque=5.0, max_speed=3.0)
    assert ENV.action_space(params).high == 5.0
    assert ENV.observation_space(params).high[2] == 3.0
    masses = PendulumParams().replace(mass=np.linspace(0.5, 2, 64, dtype=np.float32))
    stats = edgerl.simulate(ENV, energy_shaping, jax.random.key(0), num_envs=64, num_steps=200, params=masses)
    assert stats.episodes == 64
    assert stats.returns.std > 0


def test_the_baseline_swings_up_and_holds():
    """Mean of 1,000 episodes: random play has about -1,230."""
    assert -155 < returns_of(ENV, energy_shaping).mean() < -135
    random = returns_of(ENV, PLAYERS["random"])
    assert -1300 < random.mean() < -1150
    assert random.max() <= 0


def test_the_picture_shows_where_the_rod_is():
    def dark(theta):
        picture = ENV.render(state_of(theta, 0.0))
        assert (picture.shape, picture.dtype) == ((200, 200, 3), np.uint8)
        rows, columns = np.nonzero((picture < 128).any(axis=-1))
        return rows.mean() - 99.5, columns.mean() - 99.5

    up, right, down, left = (dark(theta) for theta in (0.0, -math.pi / 2, math.pi, math.pi / 2))
    assert up[0] < -20 < 20 < down[0]
    assert left[1] < -20 < 20 < right[1]  # counter-clockwise is positive, as in Gymnasium
    assert max(map(abs, (up[1], down[1], left[0], right[0]))) < 2
