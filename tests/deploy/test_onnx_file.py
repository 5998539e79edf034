"""The float policy as ONNX decides as the float policy, in ONNX's own evaluator."""

import itertools

import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import edgerl
from edgerl.deploy import onnx_file
from tests.envs.test_gru import random_policy

BOXES = [edgerl.Box(-2.0, 2.0, (1,)), edgerl.Box((0.0, -3.0), (10.0, 1.0), (2,)), edgerl.Box(-1.0, 5.0, (2, 2))]


def policy_of(activation="relu", space=None, outputs=3):
    draw = np.random.default_rng(0)
    sizes = (4, 16, 8, outputs if space is None else int(np.prod(space.shape)))
    kernels = tuple(draw.normal(size=pair).astype(np.float32) for pair in itertools.pairwise(sizes))
    biases = tuple(draw.normal(size=size).astype(np.float32) for size in sizes[1:])
    return edgerl.MLPPolicy(kernels, biases, activation, space)


def evaluated(data, obs):
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    return ReferenceEvaluator(model).run(None, {"observation": obs})[0]


def observations(count=2000):
    return np.random.default_rng(1).normal(size=(count, 4)).astype(np.float32)


@pytest.mark.parametrize("activation", ["relu", "relu6", "tanh", "sigmoid"])
def test_discrete_actions(activation):
    policy, obs = policy_of(activation), observations()
    actions = evaluated(onnx_file.model(policy), obs)
    assert actions.dtype == np.int64
    logits = np.sort(np.asarray(policy.logits(obs)), axis=1)
    clear = logits[:, -1] - logits[:, -2] > 1e-4
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(actions[clear], np.asarray(policy(None, obs))[clear])


@pytest.mark.parametrize("space", BOXES, ids=str)
def test_continuous_actions(space):
    policy, obs = policy_of(space=space), observations()
    actions = evaluated(onnx_file.model(policy), obs)
    assert actions.shape == (len(obs), *space.shape)
    np.testing.assert_allclose(actions, np.asarray(policy(None, obs)), atol=1e-4)
    low, high = space.bounds()
    assert ((actions >= low) & (actions <= high)).all()


def test_the_same_policy_has_the_same_bytes():
    assert onnx_file.model(policy_of()) == onnx_file.model(policy_of())


@pytest.mark.parametrize(("front", "behind", "activation"), [((), (), "relu"), ((5,), (7,), "tanh")])
@pytest.mark.parametrize("space", [None, BOXES[1]], ids=str)
def test_a_policy_with_memory_is_one_step(front, behind, activation, space):
    """Carried along a sequence of 200 steps, as a NumPy array from one call to the next."""
    policy = random_policy(front, 4, 6, 2, activation, space, behind=behind)
    data = onnx_file.model(policy)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    player = ReferenceEvaluator(onnx.load_from_string(data))
    state, expected = np.zeros((3, 6), np.float32), jnp.zeros((3, 6))
    for obs in np.random.default_rng(1).normal(size=(200, 3, 4)).astype(np.float32):
        action, state = player.run(None, {"observation": obs, "state": state})
        wanted, expected = policy(None, jnp.asarray(obs), expected)
        np.testing.assert_allclose(state, expected, atol=1e-5)
        np.testing.assert_allclose(action, wanted, atol=1e-3 if space else 0)


def test_an_export_with_memory_has_it(tmp_path):
    policy = random_policy((), 4, 6, 2)
    episodes = np.random.default_rng(2).normal(size=(20, 10, 4)).astype(np.float32)
    edgerl.export(policy, episodes, tmp_path / "c", name="recall", extra=onnx_file.extra(True, policy))
    assert (tmp_path / "c" / "recall.onnx").read_bytes() == onnx_file.model(policy)


def test_an_export_has_it_and_verifies_it(tmp_path):
    policy, obs = policy_of(), observations()
    edgerl.export(policy, obs, tmp_path / "c", name="pole", extra=onnx_file.extra(True, policy))
    assert evaluated((tmp_path / "c" / "pole.onnx").read_bytes(), obs).shape == (2000,)
    assert edgerl.verify(tmp_path / "c", num_vectors=100, targets=["host C"])["passed"]
    (tmp_path / "c" / "pole.onnx").write_bytes(onnx_file.model(policy_of("tanh")))
    assert not edgerl.verify(tmp_path / "c", num_vectors=100, targets=["host C"])["passed"]
