"""Acrobot against Gymnasium, which steps in float64, and against physics."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.envs.classic_control.acrobot import AcrobotEnv
from parity import assert_close, assert_flags, played, returns_of, stepped
from variants import seldom

import edgerl
from edgerl.tasks.acrobot.baselines import energy_shaping
from edgerl.tasks.acrobot.dynamics import AcrobotParams
from edgerl.tasks.acrobot.env import AcrobotState

TOLERANCE = 1e-5
ENV = edgerl.make("Acrobot-v1")
PLAYERS = {"random": edgerl.random_policy(ENV), "baseline": energy_shaping}
BOUNDS = np.array([[math.pi], [math.pi], [4 * math.pi], [9 * math.pi]])


def reference(states, actions):
    """States float64 [4, N] a step later: Runge & Kutta's steps around Gymnasium's own derivative of many states."""
    theirs = AcrobotEnv()

    def slope(states):
        return np.array(theirs._dsdt(np.concatenate([states, [actions - 1.0]]))[:4])

    first = slope(states)
    second = slope(states + 0.1 * first)
    third = slope(states + 0.1 * second)
    fourth = slope(states + 0.2 * third)
    after = states + 0.2 / 6 * (first + 2 * second + 2 * third + fourth)
    after[:2] = np.remainder(after[:2] + math.pi, 2 * math.pi) - math.pi
    return np.clip(after, -BOUNDS, BOUNDS)


def observed(states):
    first, second, *velocities = states
    return np.stack([np.cos(first), np.sin(first), np.cos(second), np.sin(second), *velocities], axis=1)


def heights(states):
    return -np.cos(states[0]) - np.cos(states[0] + states[1])


def columns(state):
    return np.stack([state.theta1, state.theta2, state.theta1_dot, state.theta2_dot]).astype(np.float64)


def state_of(numbers, time=0):
    return AcrobotState(*jnp.asarray(numbers, jnp.float32), jnp.full(np.shape(numbers)[1:], time, jnp.int32))


def test_the_reference_is_gymnasiums_own_step():
    rng = np.random.default_rng(0)
    states, actions = rng.uniform(-0.6, 0.6, (4, 2000)) * BOUNDS, rng.integers(0, 3, 2000)
    theirs, found = AcrobotEnv(), []
    for state, action in zip(states.T, actions, strict=True):
        theirs.state = state
        obs, reward, terminated, _, _ = theirs.step(action)
        assert reward == (0 if terminated else -1)
        found.append([*obs, terminated])
    after = reference(states, actions)
    np.testing.assert_allclose(np.array(found)[:, :6], observed(after), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(np.array(found)[:, 6], heights(after) > 1)


@pytest.mark.parametrize("player", ["random", *seldom("baseline")])
def test_half_a_million_steps_of_play_are_gymnasiums(player):
    states, actions = played(ENV, PLAYERS[player], 1000, 500)
    expected = reference(columns(states), actions)
    obs, after, reward, terminated, truncated = stepped(ENV, states, actions)
    assert_close(obs, observed(expected), TOLERANCE)
    margin = heights(expected) - 1
    assert_flags(terminated, margin > 0, margin, TOLERANCE, most=20)
    np.testing.assert_array_equal(reward, np.where(terminated, 0, -1))
    np.testing.assert_array_equal(truncated, (states.time == 499) & ~terminated)
    assert terminated.sum() > {"random": 0, "baseline": 4000}[player]
    assert np.abs(columns(after)[:2]).max() <= math.pi + 1e-6


def test_everywhere_errors_are_no_larger_than_float32_makes_them():
    """At full speed a link turns by 5.6 rad in a step, and the integrator itself multiplies what the state is rounded
    by: an error is compared with what the reference makes of states a rounding away."""
    rng = np.random.default_rng(1)
    states = (rng.uniform(-1, 1, (4, 100_000)) * BOUNDS).astype(np.float32).astype(np.float64)
    actions = rng.integers(0, 3, 100_000)
    expected = observed(reference(states, actions))
    noise = np.zeros(100_000)
    for _ in range(4):
        rounded = states + rng.choice([-1, 1], states.shape) * np.spacing(states.astype(np.float32))
        noise = np.maximum(noise, np.abs(observed(reference(rounded, actions)) - expected).max(axis=1))
    obs, *_ = stepped(ENV, state_of(states), actions.astype(np.int32))
    error = np.abs(obs - expected).max(axis=1)
    clear = np.abs(np.abs(reference(states, actions)[2:]) - BOUNDS[2:]).min(axis=0) > 1e-3
    assert np.median(error) < 2e-6
    ratio = (error / (noise + 1e-6))[clear]
    assert np.quantile(ratio, 0.999) < 4


def test_energy_is_kept_without_a_torque():
    """The book's equations are those of two rods whose joint moves freely."""

    def energy(state):
        first, second = state.theta1, state.theta1 + state.theta2
        one, two = state.theta1_dot, state.theta1_dot + state.theta2_dot
        kinetic = 0.5 * (2.25 * one**2 + 1.25 * two**2) + 0.5 * one * two * np.cos(state.theta2)
        return kinetic - 9.8 * (1.5 * np.cos(first) + 0.5 * np.cos(second))

    params = AcrobotParams().replace(tau=0.01)
    rng = np.random.default_rng(2)
    start = state_of(rng.uniform(-1, 1, (4, 200)) * [[math.pi], [math.pi], [3], [3]])

    @jax.jit
    @jax.vmap
    def play(state):
        step = lambda s, _: (ENV.step(None, s, jnp.int32(1), params)[1], None)  # noqa: E731
        return jax.lax.scan(step, state, None, 300)[0]

    after = play(start)
    assert np.abs(columns(after) - columns(start)).mean() > 1
    np.testing.assert_allclose(energy(after), energy(start), atol=2e-3)


def test_a_mirrored_acrobot_moves_mirrored():
    states, actions = played(ENV, PLAYERS["random"], 100, 50)
    obs, _, reward, terminated, _ = stepped(ENV, states, actions)
    mirrored = state_of(-columns(states))
    found = stepped(ENV, mirrored, 2 - actions)
    np.testing.assert_array_equal(found[0], obs * [1, -1, 1, -1, -1, -1])
    np.testing.assert_array_equal(found[2], reward)
    np.testing.assert_array_equal(found[3], terminated)


def test_the_clock_truncates_unless_the_goal_is_reached():
    upright, hanging = [math.pi, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]
    states = state_of(np.array([upright, hanging, hanging]).T, 499).replace(time=jnp.array([499, 498, 499]))
    _, after, reward, terminated, truncated = stepped(ENV, states, np.full(3, 1, np.int32))
    assert terminated.tolist() == [True, False, False]
    assert truncated.tolist() == [False, False, True]
    assert reward.tolist() == [0, -1, -1]
    assert after.time.tolist() == [500, 499, 500]


@pytest.mark.long
def test_it_keeps_the_contract():
    seen = edgerl.check_environment(ENV)
    assert seen.truncated + seen.terminated > 0
    obs, _ = jax.vmap(ENV.reset)(jax.random.split(jax.random.key(0), 1000))
    assert np.abs(obs[:, [1, 3, 4, 5]]).max() <= 0.1
    assert np.abs(obs[:, 5]).max() > 0.099


def test_the_baseline_swings_up():
    """Mean of 1,000 episodes; Gymnasium counts the task as solved at -100."""
    assert returns_of(ENV, energy_shaping).mean() > -85
    assert returns_of(ENV, PLAYERS["random"]).mean() < -490


def test_the_picture_shows_where_the_links_are():
    def inked(theta1, theta2):
        picture = ENV.render(state_of([theta1, theta2, 0.0, 0.0]))
        assert (picture.shape, picture.dtype) == ((200, 200, 3), np.uint8)
        rows, found = np.nonzero(np.ptp(picture.astype(int), axis=-1) > 60)  # coloured, and not grey
        return 99.5 - rows.mean(), found.mean() - 99.5

    assert inked(0.0, 0.0)[0] < -35
    assert inked(math.pi, 0.0)[0] > 35
    assert inked(math.pi / 2, 0.0)[1] > 35
    assert inked(math.pi / 2, math.pi)[1] < 30  # folded
