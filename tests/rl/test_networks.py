"""Networks: form, initial weights, and the policy made of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import edgerl
from edgerl.rl.config import PPOConfig
from edgerl.rl.layers import Dense
from edgerl.rl.make_networks import make_networks

pytestmark = pytest.mark.usefixtures("quick_compile")  # what is compared here is which numbers come out

ENV = edgerl.make("CartPole-v1")
SCALE = (2.4, 2.0, 0.21, 3.0)


def networks(**options):
    made = make_networks(ENV, PPOConfig(**{"hidden_sizes": (16, 8), "observation_scale": SCALE, **options}))
    return made, made.init(jax.random.key(0))


def test_kernels_are_orthogonal_with_their_gains():
    _, variables = networks()
    for network, gain in (("policy", 0.01), ("value", 1.0)):
        kernels = [np.asarray(layer["kernel"]) for layer in variables[network]["params"].values()]
        assert [k.shape for k in kernels] == [(16, 4), (8, 16), ({"policy": 2, "value": 1}[network], 8)]
        for kernel, scale in zip(kernels, (2**0.5, 2**0.5, gain), strict=True):
            short = kernel if kernel.shape[0] <= kernel.shape[1] else kernel.T
            np.testing.assert_allclose(short @ short.T, scale**2 * np.eye(len(short)), atol=1e-6)
        assert all(not layer["bias"].any() for layer in variables[network]["params"].values())


def test_a_batch_along_the_last_axes_is_many_single_observations():
    made, variables = networks()
    obs = jax.random.normal(jax.random.key(1), (4, 3, 5))
    logits, values = made.parameters(variables, obs), made.values(variables, obs)
    assert logits.shape == (2, 3, 5)
    assert values.shape == (3, 5)
    for i in range(3):
        for j in range(5):
            np.testing.assert_allclose(logits[:, i, j], made.parameters(variables, obs[:, i, j]), rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(values[i, j], made.values(variables, obs[:, i, j]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "relu6", "tanh", "sigmoid"])
def test_the_greedy_policy_has_the_networks_scores(activation):
    made, variables = networks(activation=activation)
    policy = made.greedy(variables)
    assert policy.sizes == (4, 16, 8, 2)
    obs = jax.random.normal(jax.random.key(2), (50, 4))
    np.testing.assert_allclose(policy.logits(obs), made.parameters(variables, obs.T).T, rtol=1e-4, atol=1e-6)


def test_the_value_is_in_units_of_its_scale():
    made, variables = networks(value_scale=1.0)
    large, _ = networks(value_scale=25.0)
    obs = jnp.ones(4)
    np.testing.assert_allclose(large.values(variables, obs), 25 * made.values(variables, obs), rtol=1e-6)


@pytest.mark.parametrize("batch", [(), (6,), (3, 4)])
def test_gradients_of_a_layer_are_those_of_a_plain_product(batch):
    """The layer's gradient is written by hand: against JAX's own of the same sum."""
    rng = np.random.default_rng(0)
    x, weights = (jnp.asarray(rng.normal(size=(n, *batch)), jnp.float32) for n in (5, 7))
    layer = Dense(7, 1.0)
    variables = layer.init(jax.random.key(0), x)

    def plain(variables, x):
        p = variables["params"]
        return jnp.einsum("oi,i...->o...", p["kernel"], x) + p["bias"].reshape(-1, *(1,) * len(batch))

    def gradients(function):
        return jax.grad(lambda v, x: jnp.sum(weights * jnp.sin(function(v, x))), argnums=(0, 1))(variables, x)

    for ours, jaxs in zip(*map(jax.tree.leaves, (gradients(layer.apply), gradients(plain))), strict=True):
        np.testing.assert_allclose(ours, jaxs, rtol=1e-5, atol=1e-5)
