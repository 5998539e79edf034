import itertools
import shutil

import numpy as np
import pytest

from edgerl import deploy, make
from edgerl.envs.policy import MLPPolicy


@pytest.fixture(scope="session")
def observations() -> np.ndarray:
    """CartPole-like observations with recovery states among them: float32 [4000, 4]."""
    rng = np.random.default_rng(0)
    spread = np.array([0.6, 0.5, 0.05, 0.3])
    wide = rng.random((4000, 1)) < 0.2
    return np.where(wide, 3 * spread, spread).astype(np.float32) * rng.normal(size=(4000, 4)).astype(np.float32)


@pytest.fixture(scope="session")
def make_policy(observations):
    """make_policy(hidden, activation): random hidden layers, a readout fitted to a linear controller of CartPole."""

    def make(hidden: tuple[int, ...], activation: str, seed: int = 0) -> MLPPolicy:
        rng = np.random.default_rng(seed)
        x, sizes = observations.astype(np.float64), (4, *hidden)
        kernels, biases = [], []
        for inputs, outputs in itertools.pairwise(sizes):
            kernels.append((rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)).astype(np.float32))
            biases.append((0.1 * rng.normal(size=outputs)).astype(np.float32))
            hidden_policy = MLPPolicy((kernels[-1], np.eye(outputs)), (biases[-1], np.zeros(outputs)), activation)
            x = np.asarray(hidden_policy.logits(x.astype(np.float32)), np.float64)
        score = observations @ np.array([0.05, 0.1, 1.0, 0.3])
        readout = np.linalg.lstsq(np.c_[x, np.ones(len(x))], score, rcond=1e-4)[0]
        kernels.append(np.c_[-readout[:-1], readout[:-1]].astype(np.float32))
        biases.append(np.array([-readout[-1], readout[-1]], np.float32))
        return MLPPolicy(tuple(kernels), tuple(biases), activation)

    return make


@pytest.fixture(scope="session")
def exported(tmp_path_factory, make_policy, observations):
    """(policy, folder, report) of a 4-64-64-2 ReLU policy; one for all tests."""
    policy = make_policy((64, 64), "relu")
    folder = tmp_path_factory.mktemp("export") / "pole"
    return policy, folder, deploy.export(policy, observations, folder, env=make("CartPole-v1"))


@pytest.fixture(scope="session")
def plain(make_policy, observations, tmp_path_factory):
    """An export without an environment, of another name, that decides by its accumulators."""
    folder = tmp_path_factory.mktemp("plain") / "left_motor"
    deploy.export(make_policy((8,), "tanh"), observations, folder, name="left_motor", argmax="accumulators")
    return folder


@pytest.fixture
def copy(exported, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(exported[1], folder)
    return folder
