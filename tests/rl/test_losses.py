"""The loss's parts against numbers worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.rl import losses
from edgerl.rl.config import PPOConfig
from edgerl.rl.distributions import categorical
from edgerl.rl.heads import CategoricalHead
from edgerl.rl.losses import Minibatch

HEAD = CategoricalHead(2)


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [(1.0, 2.0, 2.0), (1.5, 2.0, 2.4), (0.5, 2.0, 1.0), (1.5, -2.0, -3.0), (0.5, -2.0, -1.6)],
)
def test_clipped_surrogate(ratio, advantage, expected):
    assert losses.clipped_surrogate(jnp.float32(ratio), jnp.float32(advantage), 0.2) == pytest.approx(expected)


def test_value_error():
    assert losses.value_error(jnp.float32(3), jnp.float32(0), jnp.float32(1)) == 2
    # Moved by 1 at most, from 0: the error of 1 is 0, and the larger one counts.
    assert losses.value_error(jnp.float32(3), jnp.float32(0), jnp.float32(1), 1.0) == 2
    # The value is right already, but came too far: the error of 1 counts.
    assert losses.value_error(jnp.float32(3), jnp.float32(0), jnp.float32(3), 1.0) == 2


def test_normalised():
    x = losses.normalised(jnp.array([1.0, 2.0, 3.0, 6.0]))
    np.testing.assert_allclose([x.mean(), x.std()], [0, 1], atol=1e-6)
    assert np.isfinite(losses.normalised(jnp.ones(4))).all()


def batch(logits, actions, advantages, values, targets):
    n = len(actions)
    log_probs = jax.vmap(lambda x, a: categorical(x).log_prob(a), in_axes=(-1, 0))(logits, actions)
    return Minibatch(jnp.zeros((1, n)), actions, log_probs, values, advantages, targets)


def test_ppo_loss():
    logits = jnp.log(jnp.array([[0.25, 0.5], [0.75, 0.5]]))
    sample = batch(logits, jnp.array([0, 1]), jnp.array([1.0, -1.0]), jnp.array([2.0, 4.0]), jnp.array([4.0, 10.0]))
    config = PPOConfig(value_coefficient=0.5, entropy_coefficient=0.1)
    loss, parts = losses.ppo_loss(HEAD, logits, sample.value, sample, config, 2.0)
    parts = dict(zip(losses.PARTS, parts, strict=True))
    entropy = -np.mean([0.25 * np.log(0.25) + 0.75 * np.log(0.75), np.log(0.5)])
    expected = {
        "policy_loss": 0.0,  # ratios of 1
        "value_loss": (1 + 9) / 2 / 2,  # errors of 2 and 6, in units of 2
        "entropy": entropy,
        "approximate_kl": 0.0,
        "clip_fraction": 0.0,
    }
    for name, value in expected.items():
        assert parts[name] == pytest.approx(value, abs=1e-6), name
    assert loss == pytest.approx(0.5 * 2.5 - 0.1 * entropy)


def test_the_policy_learns_what_is_better_than_expected():
    logits, actions = jnp.zeros((2, 2)), jnp.array([0, 1])
    sample = batch(logits, actions, jnp.array([1.0, -1.0]), jnp.zeros(2), jnp.zeros(2))
    gradient = jax.grad(
        lambda x: losses.ppo_loss(HEAD, x, jnp.zeros(2), sample, PPOConfig(entropy_coefficient=0.0), 1.0)[0]
    )
    # Down the gradient, action 0 becomes more probable in both: it was good in one, and not taken where 1 was bad.
    assert (gradient(logits)[0] < 0).all()
    # Where the ratio is beyond the clip on the side that pays, there is nothing to gain.
    np.testing.assert_array_equal(gradient(jnp.array([[1.0, 1.0], [-1.0, -1.0]])), 0)


def test_clip_fraction_and_kl_of_a_changed_policy():
    before, after = jnp.log(jnp.full((2, 1), 0.5)), jnp.log(jnp.array([[0.8], [0.2]]))
    sample = batch(before, jnp.array([0]), jnp.array([1.0]), jnp.zeros(1), jnp.zeros(1))
    parts = dict(
        zip(losses.PARTS, losses.ppo_loss(HEAD, after, jnp.zeros(1), sample, PPOConfig(), 1.0)[1], strict=True)
    )
    assert parts["clip_fraction"] == 1
    assert parts["approximate_kl"] == pytest.approx(1.6 - 1 - np.log(1.6), rel=1e-5)
    assert parts["policy_loss"] == pytest.approx(-1.2)
