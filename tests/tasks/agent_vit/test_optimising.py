"""The steps of AdamW and the rate's way over a training."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from edgerl.tasks.agent_vit import optimising


def test_a_step_is_the_librarys():
    network = {"dense": {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([3.0, 4.0])}}
    grads = {"dense": {"kernel": jnp.array([[0.5, 0.1]]), "bias": jnp.array([-1.0, 2.0])}}
    kernels = {"dense": {"kernel": True, "bias": False}}
    library = optax.adamw(0.1, weight_decay=0.3, mask=kernels)
    updates, _ = library.update(grads, library.init(network), network)
    wanted = optax.apply_updates(network, updates)
    updates, _ = optimising.ADAM.update(grads, optimising.ADAM.init(network))
    made = optimising.move(network, updates, 0.1, 0.3)["dense"]
    np.testing.assert_allclose(made["kernel"], wanted["dense"]["kernel"], rtol=1e-6)
    np.testing.assert_allclose(made["bias"], wanted["dense"]["bias"], rtol=1e-6)


def test_the_cosine_rises_and_falls():
    shares = np.array([float(optimising.share("cosine", 0.25, time, 40)) for time in range(41)])
    np.testing.assert_allclose(shares[:10], np.arange(1, 11) / 10, rtol=1e-6)
    assert shares[25] == pytest.approx(0.5, abs=1e-6)  # in the middle of what falls
    assert shares[40] == pytest.approx(0, abs=1e-6)
    assert (np.diff(shares[10:]) < 0).all()
    assert optimising.share("constant", 0.25, 3, 40) == 1
