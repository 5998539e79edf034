"""EarlyExit-v0: rewards by hand, the contract, what is drawn, what the simulator makes of it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from synthetic import synthetic_table

import edgerl
from edgerl.envs.conformance import check_environment
from edgerl.tasks.early_exit.draws import below
from edgerl.tasks.early_exit.env import CONTINUE, EXIT
from edgerl.tasks.early_exit.factory import from_table
from edgerl.tasks.early_exit.goals import Goal
from edgerl.tasks.early_exit.table.table import Table
from edgerl.tasks.early_exit.trunk.data import POLICY, TEST
from edgerl.tasks.hardware.profiles import Profile

# 1, 2 and 4 ms; budgets 4 ms, 4e6 multiply-accumulates and 0.4 mJ.
DEVICE = Goal(Profile(macs_per_second=1e9, power_mw=100), max_latency_ms=4, alpha=1.0, beta=0.5, gamma=0.25)


def three_images():
    """Exits that predict (first to last): image 0: 0 0 0, image 1: 1 0 1, image 2: 0 0 0; labels 0, 1, 1."""
    logits = np.zeros((4, 3, 2), np.int8)
    for image, predictions in enumerate([(0, 0, 0), (1, 0, 1), (0, 0, 0), (0, 0, 0)]):
        for exit, prediction in enumerate(predictions):
            logits[image, exit, prediction] = 1 + exit
    return Table(
        logits,
        np.full((4, 3), 0.5, np.float32),
        np.array([0, 1, 1, 0]),
        np.array([POLICY, POLICY, POLICY, TEST], np.uint8),
        np.ones(3, np.float32),
        macs=np.array([1e6, 2e6, 4e6]),
    )


def episode(env, image, actions, params=None):
    """Observations, rewards and flags of one image under some actions."""
    p = env.default_params if params is None else params
    key = jax.random.key(0)
    state = dataclasses.replace(env.reset(key, p)[1], position=jnp.int32(image * env.exits))
    seen = [env.observe(state, p)]
    rewards, ends = [], []
    for action in actions:
        obs, state, reward, terminated, truncated, _ = env.step(key, state, action, p)
        seen.append(obs)
        rewards.append(float(reward))
        ends.append((bool(terminated), bool(truncated)))
    return np.array(seen), rewards, ends


@pytest.mark.parametrize(
    ("image", "actions", "paid"),
    [
        (0, [EXIT], [1 - 0.5 * 0.25 - 0.25 * 0.25]),
        (0, [CONTINUE, EXIT], [0, 1 - 0.5 * 0.5 - 0.25 * 0.5]),
        (1, [CONTINUE, EXIT], [0, -0.5 * 0.5 - 0.25 * 0.5]),
        (1, [CONTINUE, CONTINUE, CONTINUE], [0, 0, 1 - 0.5 - 0.25]),
        (2, [CONTINUE, CONTINUE, EXIT], [0, 0, -0.5 - 0.25]),
    ],
)
def test_rewards_by_hand(image, actions, paid):
    env = from_table(three_images(), profile=DEVICE)
    _, rewards, ends = episode(env, image, actions)
    np.testing.assert_allclose(rewards, paid, rtol=1e-6)
    assert ends == [(False, False)] * (len(actions) - 1) + [(True, False)]


def test_energy_counts_where_it_has_a_weight():
    env = from_table(three_images(), profile=DEVICE)
    params = dataclasses.replace(env.default_params, delta=0.1)
    assert episode(env, 0, [EXIT], params)[1][0] == pytest.approx(1 - 0.125 - 0.0625 - 0.1 * 0.25)


def test_observation_by_hand():
    env = from_table(three_images(), profile=DEVICE, extras=("margin", "agreement", "probability"))
    seen = episode(env, 1, [CONTINUE, CONTINUE])[0]
    p = 1 / (1 + np.exp(-0.5 * np.array([1, 2, 3])))  # of the predicted class
    confidence = 1 + (p * np.log(p) + (1 - p) * np.log(1 - p)) / np.log(2)
    assert env.names == (
        "confidence",
        "exit",
        "latency",
        "remaining compute",
        "margin",
        "agreement",
        "probability",
    )
    np.testing.assert_allclose(seen[:, 0], confidence, atol=4e-5)
    np.testing.assert_allclose(seen[:, 1], [0, 0.5, 1])
    np.testing.assert_allclose(seen[:, 2], [0.25, 0.5, 1])
    np.testing.assert_allclose(seen[:, 3], [0.75, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(seen[:, 4], 2 * p - 1, atol=2.1e-3)
    np.testing.assert_array_equal(seen[:, 5], [0, 0, 0])
    np.testing.assert_allclose(seen[:, 6], p, atol=2.1e-3)
    assert episode(env, 0, [CONTINUE, CONTINUE])[0][:, 5].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "options",
    [{}, {"extras": ("margin", "agreement", "probability"), "draw_preference": True, "draw_budget": True}],
)
def test_keeps_the_contract(options):
    env = from_table(synthetic_table(images=200, classes=10), profile="low_power", **options)
    params = dataclasses.replace(env.default_params, budget_low=0.5, preference_high=4.0)
    assert check_environment(env, params, num_steps=64).terminated > 100


def test_drawn_budgets_and_preferences():
    env = from_table(three_images(), profile=DEVICE, draw_budget=True, draw_preference=True)
    params = dataclasses.replace(
        env.default_params, budget_low=0.5, budget_high=2.0, preference_low=0.1, preference_high=10.0
    )
    obs, state = jax.vmap(lambda k: env.reset(k, params))(jax.random.split(jax.random.key(1), 4000))
    factor = 0.25 / np.asarray(obs[:, 2])
    assert factor.min() >= 0.5
    assert factor.max() <= 2
    assert np.log2(factor).mean() == pytest.approx(0, abs=0.05)
    np.testing.assert_allclose(obs[:, 2], 1 - obs[:, 3], rtol=1e-5)
    liking = np.asarray(obs[:, 4])
    assert liking.mean() == pytest.approx(0.5, abs=0.03)
    paid = jax.vmap(lambda s: env.reward(s, params))(state)
    right = np.asarray(params.words)[state.position] & 1
    expected = right - (0.5 + 0.25) * 0.25 / factor * 0.1 * 100**liking
    np.testing.assert_allclose(paid, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [1, 3, 10_000, 2**16 - 1, 2**16, 60_000_000])
def test_an_image_is_drawn_by_multiplying(n):
    bits = np.concatenate(
        [np.array([0, 1, 2**31, 2**32 - 1], np.uint32), np.random.default_rng(0).integers(0, 2**32, 1000, np.uint32)]
    )
    exact = (bits.astype(np.uint64) * np.uint64(n)) >> np.uint64(32)
    np.testing.assert_array_equal(jax.vmap(lambda b: below(b, n))(bits), exact)


def test_the_simulator_plays_what_the_table_says():
    env = from_table(synthetic_table(images=2000, classes=10), profile="medium_power")
    p = env.default_params
    start = env.reset(jax.random.key(0))[1]
    paid = jax.vmap(lambda i: env.reward(dataclasses.replace(start, position=i), p))(jnp.arange(4000)).reshape(-1, 4)
    stats = edgerl.simulate(env, edgerl.random_policy(env), jax.random.key(3), num_envs=2048, num_steps=200)
    share = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8])
    assert stats.lengths.mean == pytest.approx(share @ [1, 2, 3, 4], rel=5e-3)
    assert stats.returns.mean == pytest.approx(float(np.mean(paid @ share)), abs=5 * stats.returns.std / 400)
    assert stats.returns.min == pytest.approx(float(paid.min()), rel=1e-5)
    assert stats.returns.max == pytest.approx(float(paid.max()), rel=1e-5)


def test_a_weight_may_differ_from_lane_to_lane():
    env = from_table(synthetic_table(images=200, classes=10), profile="medium_power")
    params = dataclasses.replace(env.default_params, gamma=jnp.linspace(0.0, 1.0, 64))
    one = edgerl.simulate(
        env, lambda key, obs: jnp.int32(1), jax.random.key(0), num_envs=64, num_steps=4, params=params
    )
    assert one.returns.max > one.returns.min


def test_environments_of_different_tables_are_different():
    tables = [synthetic_table(images=100, classes=10, seed=seed) for seed in (0, 0, 1)]
    first, same, other = (from_table(table) for table in tables)
    assert first == same
    assert hash(first) == hash(same)
    assert first != other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "train"}, "unknown split 'train'; known: fit, policy, test"),
        ({"extras": ("entropy",)}, "unknown extra 'entropy'; known: margin, agreement, probability"),
        ({"profile": "tiny"}, "unknown device profile 'tiny'"),
        ({"split": "fit"}, "no images of the split 'fit'"),
    ],
)
def test_what_is_unknown_is_named(options, message):
    with pytest.raises(edgerl.UserError, match=message):
        from_table(three_images(), **options)


def test_a_missing_table_says_how_to_build_it(monkeypatch, tmp_path):
    monkeypatch.setattr("edgerl.tasks.early_exit.factory.SHIPPED", tmp_path / "none.npz")
    with pytest.raises(edgerl.UserError, match="edgerl logits build"):
        edgerl.make("EarlyExit-v0")
