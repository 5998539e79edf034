"""Large minibatches are learnt from in pieces; those of what ships are not, so that their bits stay."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.rl.config import PPOConfig
from edgerl.rl.pieces import each, mean_over, pieces
from edgerl.tasks.registry import task_of


@pytest.mark.parametrize("count", [1, 4])
def test_the_mean_over_pieces_is_that_over_the_whole(count):
    batch = {"x": jax.random.normal(jax.random.key(0), (3, 32)), "y": jnp.arange(32.0)}
    sizes = []

    def function(part):
        sizes.append(part["x"].shape)
        gradient = jax.grad(lambda w: jnp.mean(jnp.tanh(w @ part["x"]) * part["y"]))(jnp.ones(3))
        return gradient, jnp.mean(part["y"])

    found, whole = mean_over(function, batch, count), function(batch)
    np.testing.assert_allclose(found[0], whole[0], rtol=1e-5)
    np.testing.assert_allclose(found[1], whole[1], rtol=1e-6)
    assert sizes[0] == (3, 32 // count)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_each_sample_is_computed_once_and_in_its_place(count):
    x = jax.random.normal(jax.random.key(0), (3, 32))
    np.testing.assert_array_equal(each(lambda part: part[0] - part[2], x, count), x[0] - x[2])


@pytest.mark.parametrize(
    ("samples", "hidden", "expected"),
    [
        (16384, (64, 64), 16),
        (4096, (256, 256), 16),
        (3 * 4096, (256,), 64),
        (1000, (64, 64), 1),
        (1021, (4096,), 1),
        (4096, (8,), 1),
    ],
)
def test_how_many_pieces(samples, hidden, expected):
    assert pieces(PPOConfig(hidden_sizes=hidden), samples) == expected


@pytest.mark.parametrize("what", ["cartpole", "early-exit", "latent-nas", "Pendulum-v1", "MountainCarContinuous-v0"])
def test_what_ships_is_learnt_from_as_before(what):
    ppo = task_of(what).settings().ppo
    assert pieces(ppo, ppo.batch_size // ppo.num_minibatches) == 1
