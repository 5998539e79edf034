"""Who decides on a stream: rules by hand, their tuning, value iteration; and what is counted of their days."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import edgerl
from edgerl.tasks.early_exit.stream import rules, states, tuning, value_iteration
from edgerl.tasks.early_exit.stream.arrivals import Source
from edgerl.tasks.early_exit.stream.parts import CONTINUE, NAMES, NEWEST, OLDEST, SLEEP
from edgerl.tasks.early_exit.stream.play import play
from edgerl.tasks.early_exit.stream.value_iteration import Model


def seen(**numbers):
    """An observation of a device with four exits, whose frame under way has reached none."""
    usual = {"queue slack": 1.0, "battery": 1.0, **{name.replace("_", " "): x for name, x in numbers.items()}}
    return jnp.array([usual.get(name, 0.0) for name in NAMES], jnp.float32)


def rule(**changes):
    weights = np.zeros((3, 5), np.float32)
    weights[:, 0] = [0.8, 0.6, 0.4]
    made = rules.Rule(weights, np.float32(1), np.float32(0.3), np.float32(0.1))
    return dataclasses.replace(made, **changes)


@pytest.mark.parametrize(
    ("numbers", "action"),
    [
        ({"exit": 0.25, "probability": 0.7}, CONTINUE),
        ({"exit": 0.5, "probability": 0.7, "waiting": 0.5}, NEWEST),
        ({"exit": 0.5, "probability": 0.5}, CONTINUE),
        ({"exit": 1.0, "probability": 0.0}, SLEEP),  # the last exit; nothing waits, and little came lately
        ({"exit": 1.0, "probability": 0.0, "recent": 0.3}, NEWEST),  # so much that it is worth while to wait awake
        ({"waiting": 0.25}, NEWEST),
        ({"waiting": 0.25, "battery": 0.05}, SLEEP),  # below the reserve
    ],
)
def test_a_rule_decides_by_hand(numbers, action):
    assert int(rule()(None, seen(**numbers))) == action


def test_a_rule_may_take_the_oldest_frame():
    assert int(rule(newest=np.float32(0))(None, seen(waiting=0.25))) == OLDEST


def test_a_schedule_moves_its_thresholds_with_battery_and_queue():
    weights = np.zeros((3, 5), np.float32)
    weights[0] = [0.1, 0.2, 0.4, -0.1, -0.2]
    made = rule(weights=weights)
    full, empty = (seen(exit=0.25, probability=0.45, battery=x) for x in (1.0, 0.5))
    assert int(made(None, full)) == CONTINUE  # .1 + .2 + .4 * .5 = .5
    assert int(made(None, empty)) != CONTINUE  # .1 + .2 * .5 = .2
    busy = seen(exit=0.25, probability=0.45, battery=1.0, waiting=0.5)
    assert int(made(None, busy)) == NEWEST  # .5 - .1 * .5 - .2 * .25 = .4


def test_each_lane_may_have_a_rule_of_its_own():
    weights = np.repeat(np.zeros((3, 5, 1), np.float32), 2, axis=2)
    weights[0, 0] = [0.2, 0.9]
    each = np.zeros(2, np.float32)
    made = rules.Rule(weights, each + 1, each, each)
    obs = jnp.stack([seen(exit=0.25, probability=0.5, waiting=0.5)] * 2, axis=-1)
    assert made.lanes(obs).tolist() == [NEWEST, CONTINUE]


def test_cma_es_finds_the_least_of_a_stretched_bowl():
    centre, stretch = np.array([1.0, -2.0, 0.5, 3.0]), np.array([1.0, 10.0, 3.0, 30.0])
    cost = lambda x, _: ((stretch * (x - centre)) ** 2).sum(1)  # noqa: E731
    mean, best = tuning.cma_es(cost, np.zeros(4), 0.5, 120, 12, np.random.default_rng(0))
    np.testing.assert_allclose(mean, centre, atol=1e-3)
    np.testing.assert_allclose(best, centre, atol=1e-3)


def test_all_rounded_states_are_numbered():
    env = edgerl.make("ExitStream-v0")
    bins = states.bins_of(env)
    rng = np.random.default_rng(0)
    obs = rng.random((len(NAMES), 400_000)).astype(np.float32)
    obs[states.PLACE["exit"]] = rng.integers(0, 5, obs.shape[1]) / 4
    obs[states.PLACE["waiting"]] = rng.integers(0, 5, obs.shape[1]) / 4
    found = np.asarray(bins.state(jnp.asarray(obs)))
    assert found.min() >= 0
    assert found.max() < bins.count
    # Without a frame there is no slack, without a queue no age of it: the rest occurs.
    frames, slacks, queues, recents = bins.shape
    assert len(np.unique(found)) == ((frames - 1) * slacks + 1) * queues * recents


def test_the_price_of_energy_decides():
    """One state; action 1 earns 1 for 1 J, action 2 earns .4 for .1 J, the others were never tried."""
    seen_pairs = np.array([False, True, True, False])
    reward, joules = np.array([0.0, 1.0, 0.4, 0.0]), np.array([0.0, 1.0, 0.1, 0.0])
    model = Model(reward, joules, scipy.sparse.csr_matrix(np.full((4, 1), 0.5)), seen_pairs)
    assert value_iteration.actions_at(model, 0.0).tolist() == [1]
    assert value_iteration.actions_at(model, 1.0).tolist() == [2]


def test_what_follows_a_decision_counts():
    """Action 0 pays 1 and leads to a state that pays nothing; action 1 pays .9 and stays."""
    later = np.zeros((8, 2))
    later[0, 1] = later[1, 0] = later[4, 1] = 0.9
    model = Model(np.array([1.0, 0.9, 0, 0, 0, 0, 0, 0]), np.zeros(8), scipy.sparse.csr_matrix(later),
                  np.array([True, True, False, False, True, False, False, False]))  # fmt: skip
    assert value_iteration.actions_at(model, 0.0).tolist() == [1, 0]


@pytest.fixture(scope="module")
def rich():
    """A stream whose battery never ends and whose frames never wait."""
    env = edgerl.make("ExitStream-v0", split="test")
    p = env.default_params
    params = p.replace(source=Source(0.05, 0.05), supply=p.supply.replace(capacity_j=np.float32(1e9)))
    return dataclasses.replace(env, default_params=params)


@pytest.mark.parametrize(("exit", "accuracy"), [(0, 54.0), (3, 65.1)])
def test_a_fixed_exit_of_a_device_that_is_rich_has_the_exits_accuracy(rich, exit, accuracy):
    played = play(rich, rules.fixed(exit, rich.exits), jax.random.key(0), lanes=64, seconds=20_000.0, burn_s=100.0)
    # 64,000 frames, a few of which come while another one is computed, and wait too long.
    assert played.score == pytest.approx(accuracy, abs=1.0)
    assert played.exits.sum(0)[exit] / played.answered.sum() > 0.97
    assert (played.seconds > 19_900).all()
    assert (played.arrived >= played.answered + played.lost - 6).all()


def test_days_of_one_key_are_the_same(rich):
    pair = [
        play(rich, rules.fixed(0, rich.exits), jax.random.key(1), lanes=64, seconds=2000.0, burn_s=0.0).right
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*pair)
