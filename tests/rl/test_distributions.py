"""distrax without TensorFlow, and TensorFlow afterwards."""

import importlib.util
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.rl.distributions import categorical

LOGITS = jnp.log(jnp.array([0.1, 0.2, 0.7]))


def test_categorical_is_distrax():
    policy = categorical(LOGITS)
    assert type(policy).__module__.startswith("distrax.")
    np.testing.assert_allclose(policy.log_prob(2), np.log(0.7), rtol=1e-6)
    np.testing.assert_allclose(policy.entropy(), -(np.array([0.1, 0.2, 0.7]) * np.array(LOGITS)).sum(), rtol=1e-6)
    draws = policy.sample(seed=jax.random.key(0), sample_shape=(20_000,))
    np.testing.assert_allclose(np.bincount(draws, minlength=3) / 20_000, [0.1, 0.2, 0.7], atol=0.015)


def _run(code: str) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120, capture_output=True)


def test_tensorflow_is_not_imported_and_nothing_is_left_behind():
    _run(
        "import sys; from edgerl.rl.distributions import categorical\n"
        "finders = list(sys.meta_path); categorical([0.0, 1.0])\n"
        "assert 'distrax' in sys.modules\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] in ('tensorflow', 'keras')]\n"
        "assert [f for f in sys.meta_path if type(f).__module__.startswith('edgerl.rl')] == []\n"
        "assert finders == [f for f in sys.meta_path if f in finders]\n"
    )


@pytest.mark.parametrize("first", ["tensorflow", pytest.param("distrax", marks=pytest.mark.long)])
def test_tensorflow_works_in_the_same_process(first):
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow (the extra `tensorflow`) is not installed")
    imports = [
        "import tensorflow as tf",
        "from edgerl.rl.distributions import categorical; categorical([0.0, 1.0])",
    ]
    _run(
        "\n".join(imports if first == "tensorflow" else reversed(imports))
        + "\nassert float(tf.math.reduce_sum(tf.constant([1.0, 2.0]))) == 3.0\n"
        "assert int(categorical([0.0, 9.0]).mode()) == 1\n"
    )
