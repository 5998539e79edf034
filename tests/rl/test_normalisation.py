"""Running statistics: the numbers, and that nothing but the scale changes where they are used."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from probes import Probe, ProbeParams

import edgerl
from edgerl.rl import normalisation, ppo
from edgerl.rl.config import PPOConfig
from edgerl.rl.make_networks import make_networks
from edgerl.rl.normalisation import Moments, Statistics

CONFIG = PPOConfig(
    num_updates=6,
    num_envs=8,
    num_steps=16,
    num_minibatches=2,
    hidden_sizes=(16,),
    normalise_observations=True,
    normalise_returns=True,
)


def test_moments_are_those_of_all_samples_together():
    samples = np.random.default_rng(0).normal(50, [[1.0], [7.0]], (2, 900)).astype(np.float32)
    moments = Moments(jnp.float32(0), jnp.zeros(2), jnp.ones(2))
    for part in np.split(samples, [100, 101, 500], axis=1):
        moments = moments.merged(jnp.asarray(part))
    assert moments.count == 900
    np.testing.assert_allclose(moments.mean, samples.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(moments.variance, samples.var(axis=1), rtol=1e-4)


def test_nothing_is_kept_that_was_not_asked_for():
    assert normalisation.start(PPOConfig(), 4) is None
    some = normalisation.start(PPOConfig(normalise_returns=True), 4)
    assert some is not None
    assert some.observations is None
    assert (
        ppo.init(
            Probe(), CONFIG.replace(normalise_observations=False, normalise_returns=False), jax.random.key(0)
        ).statistics
        is None
    )


def test_at_first_the_scales_are_those_of_the_configuration():
    config = CONFIG.replace(observation_scale=(2.0, 5.0), value_scale=3.0)
    start = normalisation.start(config, 2)
    plain, normalised = make_networks(Probe(), config), make_networks(Probe(), config, None, start)
    variables, obs = plain.init(jax.random.key(0)), jnp.array([1.0, -4.0])
    np.testing.assert_allclose(normalised.parameters(variables, obs), plain.parameters(variables, obs), rtol=1e-5)
    np.testing.assert_allclose(normalised.values(variables, obs), plain.values(variables, obs), rtol=1e-5)


STATISTICS = Statistics(
    Moments(jnp.float32(9), jnp.array([3.0, -100.0]), jnp.array([0.25, 0.0])),  # the second hardly changes
    Moments(jnp.float32(9), jnp.float32(3), jnp.float32(16)),
)


def test_they_are_folded_into_the_policy():
    networks = make_networks(Probe(), CONFIG, None, STATISTICS)
    variables = networks.init(jax.random.key(0))
    obs = jax.random.normal(jax.random.key(1), (20, 2)) + jnp.array([3.0, -100.0])
    logits = networks.parameters(variables, obs.T).T
    np.testing.assert_allclose(networks.greedy(variables).logits(obs), logits, atol=1e-4)
    plain = make_networks(Probe(), CONFIG)
    centred = (obs - jnp.array([3.0, -100.0])) / jnp.array([0.5, 1.0])
    np.testing.assert_allclose(logits, plain.parameters(variables, centred.T).T, atol=1e-6)


def test_values_stay_when_their_scale_changes():
    before, after = make_networks(Probe(), CONFIG), make_networks(Probe(), CONFIG, None, STATISTICS)
    assert float(after.value_scale) == pytest.approx(5)  # the root of 3² + 16
    after = after.replace(observations=None)
    variables, obs = before.init(jax.random.key(0)), jnp.array([1.0, -1.0])
    np.testing.assert_allclose(
        after.values(after.with_values_of(before, variables), obs), before.values(variables, obs), rtol=1e-5
    )


def test_a_training_keeps_them_in_its_state():
    params = ProbeParams(constant=40.0, by_sign=10.0)
    state, _ = ppo.train(Probe(), CONFIG, jax.random.key(0), params)
    seen, returns = state.statistics.observations, state.statistics.returns
    assert seen.count == returns.count == 6 * 8 * 16
    np.testing.assert_allclose(seen.mean[0] ** 2 + seen.variance[0], 1, rtol=1e-4)  # signs
    assert returns.mean == pytest.approx(40, rel=0.1)
    assert isinstance(ppo.greedy_policy(Probe(), CONFIG, state), edgerl.MLPPolicy)
