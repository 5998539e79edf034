"""GAE against numbers worked out by hand and a slow reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.rl.gae import gae


def test_by_hand():
    # Two steps, then a termination, then one step cut off by the clock, then one more step of a third episode.
    rewards = jnp.array([1.0, 2.0, 3.0, 4.0])
    values = jnp.array([10.0, 20.0, 30.0, 40.0])
    next_values = jnp.array([20.0, 99.0, 50.0, 60.0])
    terminated = jnp.array([False, True, False, False])
    truncated = jnp.array([False, False, True, False])
    # discount 0.5, lambda 0.5.
    # t=3: 4 + 0.5 * 60 - 40 = -6; nothing is known beyond.
    # t=2: 3 + 0.5 * 50 - 30 = -2; truncated, so step 3 is another episode's.
    # t=1: 2 - 20 = -18; terminated, so 99 does not count.
    # t=0: 1 + 0.5 * 20 - 10 = 1, and 0.25 * -18 = -4.5.
    advantages = gae(rewards, values, next_values, terminated, truncated, 0.5, 0.5)
    np.testing.assert_allclose(advantages, [-3.5, -18.0, -2.0, -6.0])


def reference(rewards, values, next_values, terminated, truncated, discount, gae_lambda):
    """The sum of the definition, term by term."""
    advantages = np.zeros(len(rewards))
    for t in range(len(rewards)):
        weight = 1.0
        for k in range(t, len(rewards)):
            future = 0.0 if terminated[k] else discount * next_values[k]
            advantages[t] += weight * (rewards[k] + future - values[k])
            if terminated[k] or truncated[k]:
                break
            weight *= discount * gae_lambda
    return advantages


@pytest.mark.parametrize("seed", range(5))
def test_against_the_definition(seed):
    rng = np.random.default_rng(seed)
    floats = rng.normal(size=(3, 7, 40)).astype(np.float32)
    terminated = rng.random((7, 40)) < 0.1
    truncated = (rng.random((7, 40)) < 0.1) & ~terminated
    discount, gae_lambda = rng.random(2)
    many = jax.jit(jax.vmap(gae, in_axes=(0,) * 5 + (None, None)))
    advantages = many(*floats, terminated, truncated, discount, gae_lambda)
    for i in range(7):
        expected = reference(*floats[:, i], terminated[i], truncated[i], discount, gae_lambda)
        np.testing.assert_allclose(advantages[i], expected, rtol=1e-4, atol=1e-5)


def test_each_step_may_have_a_discount_of_its_own():
    never = jnp.zeros(2, bool)
    advantages = gae(jnp.ones(2), jnp.zeros(2), jnp.array([2.0, 4.0]), never, never, jnp.array([0.5, 0.25]), 1.0)
    # t=1: 1 + 0.25 * 4 = 2. t=0: 1 + 0.5 * 2 = 2, and 0.5 * 2 of the step after it.
    np.testing.assert_allclose(advantages, [3.0, 2.0])


def test_lambda_zero_and_one():
    rewards, values, next_values = jnp.ones(6), jnp.arange(6.0), jnp.arange(1.0, 7.0)
    never = jnp.zeros(6, bool)
    one_step = gae(rewards, values, next_values, never, never, 0.9, 0.0)
    np.testing.assert_allclose(one_step, rewards + 0.9 * next_values - values, rtol=1e-6)
    returns = gae(rewards, values, next_values, never, never, 0.9, 1.0) + values
    expected = [sum(0.9**k for k in range(6 - t)) + 0.9 ** (6 - t) * 6.0 for t in range(6)]
    np.testing.assert_allclose(returns, expected, rtol=1e-5)


def test_batched_arrays_are_refused():
    flags = jnp.zeros((2, 3), bool)
    with pytest.raises(AssertionError):
        gae(*jnp.zeros((3, 2, 3)), flags, flags, 0.9, 0.9)
