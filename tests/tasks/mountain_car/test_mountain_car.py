"""MountainCarContinuous against Gymnasium, which rounds its states to float32, too, and against physics."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv
from parity import assert_close, assert_flags, played, returns_of, stepped

import edgerl
from edgerl.tasks.mountain_car.baselines import energy_pumping
from edgerl.tasks.mountain_car.env import MountainCarParams, MountainCarState

TOLERANCE = 5e-7
ENV = edgerl.make("MountainCarContinuous-v0")
PLAYERS = {"random": edgerl.random_policy(ENV), "baseline": energy_pumping}


def reference(position, velocity, actions):
    """Position, velocity and the place where the wall would not have stopped the car, float64 [N], a step later."""
    position, velocity, action = (np.asarray(x, np.float64) for x in (position, velocity, actions[:, 0]))
    velocity = velocity + np.clip(action, -1, 1) * 0.0015 - 0.0025 * np.cos(3 * position)
    velocity = np.clip(velocity, -0.07, 0.07)
    free = position + velocity
    position = np.clip(free, -1.2, 0.6)
    return position, np.where((position == -1.2) & (velocity < 0), 0, velocity), free


def state_of(position, velocity, time=0):
    shape = np.shape(position)
    return MountainCarState(jnp.float32(position), jnp.float32(velocity), jnp.full(shape, time, jnp.int32))


def compare(states, actions):
    """Every state a step later, and how the ends of episodes were told; returns our flags."""
    position, velocity, free = reference(states.position, states.velocity, actions)
    obs, _, reward, terminated, truncated = stepped(ENV, states, actions)
    clear = np.abs(free + 1.2) > TOLERANCE  # whether the wall was touched hangs on the last digit
    assert (~clear).sum() <= 5
    assert_close(obs[clear], np.stack([position, velocity], axis=1)[clear], TOLERANCE)
    arrived = (position >= 0.45) & (velocity >= 0)
    margin = np.minimum(np.abs(position - 0.45), np.where(position >= 0.44, np.abs(velocity), 1))
    assert_flags(terminated, arrived, margin, TOLERANCE, most=20)
    assert_close(reward, 100.0 * terminated - 0.1 * actions[:, 0].astype(np.float64) ** 2, TOLERANCE)
    np.testing.assert_array_equal(truncated, (np.asarray(states.time) == 998) & ~terminated)
    return terminated, truncated


def test_the_reference_is_gymnasiums_own_step():
    rng = np.random.default_rng(0)
    states = (rng.uniform(-1, 1, (2000, 2)) * [0.9, 0.07] - [0.3, 0]).astype(np.float32)
    actions = rng.uniform(-2, 2, (2000, 1)).astype(np.float32)
    theirs, found = Continuous_MountainCarEnv(), []
    for state, action in zip(states, actions, strict=True):
        theirs.state = state
        obs, reward, terminated, _, _ = theirs.step(action)
        assert reward == pytest.approx(100 * terminated - 0.1 * float(action[0]) ** 2)
        found.append([*obs, terminated])
    position, velocity, _ = reference(*states.T, actions)
    assert_close(np.array(found)[:, :2], np.stack([position, velocity], axis=1), TOLERANCE)
    np.testing.assert_array_equal(np.array(found)[:, 2], (position >= 0.45) & (velocity >= 0))


@pytest.mark.parametrize("player", PLAYERS)
def test_half_a_million_steps_of_play_are_gymnasiums(player):
    terminated, truncated = compare(*played(ENV, PLAYERS[player], 500, 1000))
    if player == "baseline":
        assert terminated.sum() > 1500
    else:
        assert truncated.sum() > 480


def test_everywhere_and_beyond_the_forces_bounds_too():
    rng = np.random.default_rng(1)
    position, velocity = rng.uniform(-1, 1, (2, 100_000)) * [[0.9], [0.07]] - [[0.3], [0]]
    actions = rng.uniform(-3, 3, (100_000, 1)).astype(np.float32)
    terminated, _ = compare(state_of(position, velocity), actions)
    assert 0.03 < terminated.mean() < 0.2


def test_the_wall_takes_the_velocity_and_the_track_ends():
    states = state_of([-1.19, 0.59, -1.2], [-0.07, 0.07, 0.0])
    _, after, *_ = stepped(ENV, states, np.zeros((3, 1), np.float32))
    np.testing.assert_allclose(after.position, [-1.2, 0.6, -1.2 + 0.0025 * -math.cos(3.6)], rtol=1e-6)
    assert after.velocity[0] == 0 < after.velocity[2] < after.velocity[1]


def test_the_clock_truncates_unless_the_goal_is_reached():
    states = state_of([0.44, -0.5, -0.5], [0.07, 0.0, 0.0]).replace(time=jnp.array([998, 997, 998]))
    _, after, reward, terminated, truncated = stepped(ENV, states, np.ones((3, 1), np.float32))
    assert terminated.tolist() == [True, False, False]
    assert truncated.tolist() == [False, False, True]
    np.testing.assert_allclose(reward, [99.9, -0.1, -0.1], rtol=1e-6)
    assert after.time.tolist() == [999, 998, 999]


def test_a_fast_arrival_can_be_asked_for():
    slow = MountainCarParams().replace(goal_velocity=0.05)
    state = state_of(0.44, 0.03)
    for params, expected in ((None, True), (slow, False)):
        assert bool(ENV.step(None, state, jnp.zeros(1), params)[3]) == expected


def test_energy_is_kept_without_a_force():
    """With a step of a tenth, which makes forces a hundredth and velocities a tenth, what is lost stays small."""
    params = MountainCarParams().replace(gravity=0.0025 / 100)
    start = state_of(np.linspace(-0.7, -0.3, 50), np.zeros(50))

    @jax.jit
    @jax.vmap
    def play(state):
        step = lambda s, _: (ENV.step(None, s, jnp.zeros(1), params)[1], None)  # noqa: E731
        return jax.lax.scan(step, state, None, 500)[0]

    def energy(state):
        return state.velocity**2 / 2 + params.gravity / 3 * np.sin(3 * state.position)

    after = play(start)
    assert np.abs(after.position - start.position).max() > 0.1
    np.testing.assert_allclose(energy(after), energy(start), atol=1e-3 * params.gravity)


def test_a_valley_mirrored_about_its_bottom_is_the_same():
    bottom = -math.pi / 6
    offset, velocity = np.random.default_rng(3).uniform(-1, 1, (2, 1000)) * [[0.3], [0.03]]
    actions = np.linspace(-1, 1, 1000, dtype=np.float32)[:, None]
    one = stepped(ENV, state_of(bottom + offset, velocity), actions)[0]
    other = stepped(ENV, state_of(bottom - offset, -velocity), -actions)[0]
    np.testing.assert_allclose(other - [bottom, 0], -(one - [bottom, 0]), atol=TOLERANCE)


def test_it_keeps_the_contract():
    assert edgerl.check_environment(ENV, num_steps=1024).truncated > 0
    obs, state = jax.vmap(ENV.reset)(jax.random.split(jax.random.key(0), 20_000))
    assert -0.6 <= obs[:, 0].min() < -0.599
    assert -0.401 < obs[:, 0].max() <= -0.4
    assert not np.asarray(state.velocity).any()


def test_the_baseline_reaches_the_goal():
    """Every one of 1,000 episodes; Gymnasium counts the task as solved at a mean of 90."""

    baseline = returns_of(ENV, energy_pumping)
    assert baseline.min() > 96
    assert baseline.mean() > 97
    assert -40 < returns_of(ENV, PLAYERS["random"]).mean() < -30


def test_the_picture_shows_where_the_car_is():
    def column(position):
        picture = ENV.render(state_of(position, 0.0))
        assert (picture.shape, picture.dtype) == ((200, 300, 3), np.uint8)
        blue = (picture[..., 2].astype(int) - picture[..., 0]) > 60
        return np.nonzero(blue)[1].mean()

    assert column(-1.0) == pytest.approx(300 * 0.2 / 1.8, abs=8)
    assert column(-0.52) == pytest.approx(300 * 0.68 / 1.8, abs=2)
