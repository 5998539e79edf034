"""The float policy as ONNX decides as the float policy, in ONNX's own evaluator."""

import itertools

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import edgerl
from edgerl import UserError
from edgerl.deploy import onnx_file

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


def test_a_policy_with_memory_is_refused():
    gate, last = np.zeros((3, 2)), np.ones((2, 2))
    policy = edgerl.GRUPolicy((gate, gate, gate, last), (np.zeros(2),) * 4)
    assert onnx_file.extra(False, policy) == {}
    with pytest.raises(UserError, match="a policy with memory is not written as ONNX"):
        onnx_file.extra(True, policy)


def test_an_export_has_it_and_verifies_it(tmp_path):
    policy, obs = policy_of(), observations()
    edgerl.export(policy, obs, tmp_path / "c", name="pole", extra=onnx_file.extra(True, policy))
    assert evaluated((tmp_path / "c" / "pole.onnx").read_bytes(), obs).shape == (2000,)
    assert edgerl.verify(tmp_path / "c", num_vectors=100, targets=["host C"])["passed"]
    (tmp_path / "c" / "pole.onnx").write_bytes(onnx_file.model(policy_of("tanh")))
    assert not edgerl.verify(tmp_path / "c", num_vectors=100, targets=["host C"])["passed"]
