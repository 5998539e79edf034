"""Actions of a policy's outputs: the Gaussian's numbers against those worked out by hand and SciPy's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from edgerl import Box, Discrete, UserError
from edgerl.rl.distributions import normal
from edgerl.rl.heads import CategoricalHead, GaussianHead, head_of

MEAN, STD = np.array([0.5, -1.0], np.float32), np.array([2.0, 0.25], np.float32)
PARAMETERS = jnp.concatenate([jnp.array(MEAN), jnp.log(jnp.array(STD))])
BOX = Box((-2.0, 0.0), (2.0, 1.0), (2,))


def test_normal_is_distrax():
    policy = normal(jnp.array(MEAN), jnp.log(jnp.array(STD)))
    assert type(policy).__module__.startswith("distrax.")
    # One deviation above the first mean, none from the second: -1/2 - log 2 - log 1/4 - log 2 pi.
    assert policy.log_prob(jnp.array([2.5, -1.0])) == pytest.approx(-0.5 + np.log(2) - np.log(2 * np.pi), rel=1e-6)


def test_log_probability_and_entropy():
    action = jnp.array([1.7, -1.2])
    log_prob, entropy = GaussianHead(BOX).log_prob_and_entropy(PARAMETERS, action)
    assert log_prob == pytest.approx(stats.norm(MEAN, STD).logpdf(np.asarray(action)).sum(), rel=1e-5)
    assert entropy == pytest.approx(stats.norm(MEAN, STD).entropy().sum(), rel=1e-5)


def test_samples_have_the_gaussians_moments_and_their_log_probabilities():
    many = jnp.broadcast_to(PARAMETERS[:, None], (4, 50_000))
    actions, log_probs = GaussianHead(BOX).sample(jax.random.key(0), many)
    assert (actions.shape, log_probs.shape) == ((2, 50_000), (50_000,))
    np.testing.assert_allclose(actions.mean(axis=1), MEAN, atol=0.03)
    np.testing.assert_allclose(actions.std(axis=1), STD, rtol=0.02)
    again = jax.vmap(GaussianHead(BOX).log_prob_and_entropy, (-1, -1))(many[:, :9], actions[:, :9])[0]
    np.testing.assert_allclose(log_probs[:9], again, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("action", "played"), [([0, 0], [0, 0.5]), ([-1, 1], [-2, 1]), ([-7, 9], [-2, 1]), ([0.5, -0.5], [1, 0.25])]
)
def test_an_action_is_clipped_into_the_box(action, played):
    np.testing.assert_array_equal(GaussianHead(BOX).played(jnp.array(action, jnp.float32)), played)


def test_a_box_of_any_shape_and_size():
    square = Box(np.full((2, 3), -1.0), np.arange(6.0).reshape(2, 3), (2, 3))
    head = head_of("Square-v0", square)
    assert (head.outputs, head.deviations) == (6, 6)
    assert square.contains(head.played(jnp.linspace(-3, 3, 6)))
    assert head_of("Scalar-v0", Box(0.0, 1.0, ())).played(jnp.zeros(1)).shape == ()
    huge = Box(-3e38, 3e38, (1,))
    np.testing.assert_array_equal(GaussianHead(huge).played(jnp.array([2.0])), np.float32(3e38))


def test_which_spaces_have_a_head():
    assert head_of("Choice-v0", Discrete(3)) == CategoricalHead(3)
    for space in (Box(-np.inf, 1.0, (1,)), Box((0.0, 0.0), (1.0, np.inf), (2,))):
        with pytest.raises(UserError, match=r"Endless-v0 takes actions of Box.*boxes with finite bounds") as caught:
            head_of("Endless-v0", space)
        assert "\n" not in str(caught.value)
