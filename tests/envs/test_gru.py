"""Policies with a gated recurrent unit: their arithmetic, their form, their file."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from edgerl import Box, GRUPolicy, MLPPolicy, UserError, load_policy, save_policy
from edgerl.envs.policy import same


def random_policy(front=(5,), features=3, units=4, outputs=2, activation="tanh", space=None, seed=0, behind=()):
    rng = np.random.default_rng(seed)
    widths = [features, *front]
    pairs = [*itertools.pairwise(widths), *[(widths[-1] + units, units)] * 3]
    pairs += itertools.pairwise([units, *behind, outputs])
    kernels = tuple(rng.normal(size=pair) for pair in pairs)
    biases = tuple(rng.normal(size=pair[1]) for pair in pairs)
    return GRUPolicy(kernels, biases, activation, space, front=len(front))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_a_step_by_hand():
    """One unit, one feature: z = σ(0.5 x), r = σ(1), n = tanh(x + 2 r h), h' = n + z (h - n), output 3 h'."""
    kernels = ([[0.5], [0.0]], [[0.0], [0.0]], [[1.0], [2.0]], [[3.0, -3.0]])
    biases = ([0.0], [1.0], [0.0], [0.0, 0.5])
    policy = GRUPolicy(tuple(map(np.array, kernels)), tuple(map(np.array, biases)))
    x, h = 0.8, -0.3
    n = np.tanh(x + 2 * sigmoid(1.0) * h)
    expected = n + sigmoid(0.5 * x) * (h - n)
    outputs, after = policy.outputs(jnp.array([x]), jnp.array([h]))
    np.testing.assert_allclose(after, [expected], rtol=1e-6)
    np.testing.assert_allclose(outputs, [3 * expected, 0.5 - 3 * expected], rtol=1e-6)
    assert policy.sizes == (1, 1, 2)
    assert policy.units == 1


@pytest.mark.parametrize(("front", "behind"), [((), ()), ((6,), (7,)), ((6, 5), (7, 8))])
def test_many_at_once_are_as_one(front, behind):
    policy = random_policy(front, behind=behind)
    assert policy.sizes == (3, *front, 4, *behind, 2)
    rng = np.random.default_rng(1)
    obs, state = rng.normal(size=(7, 3)).astype(np.float32), rng.uniform(-1, 1, (7, 4)).astype(np.float32)
    single = [policy(None, *row) for row in zip(jnp.asarray(obs), jnp.asarray(state), strict=True)]
    actions, after = policy(None, jnp.asarray(obs), jnp.asarray(state))
    lanes, lanes_after = policy.lanes(jnp.asarray(obs.T), jnp.asarray(state.T))
    np.testing.assert_array_equal(actions, [action for action, _ in single])
    np.testing.assert_array_equal(lanes, actions)
    np.testing.assert_allclose(after, [state for _, state in single], atol=1e-6)
    np.testing.assert_allclose(lanes_after.T, after, atol=1e-6)


def test_continuous_actions_stay_in_their_box():
    policy = random_policy(space=Box((-2.0, 0.0), (2.0, 0.3), (2,)))
    obs = jnp.asarray(np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32))
    actions, _ = policy(None, obs, jnp.zeros((50, 4)))
    assert actions.shape == (50, 2)
    assert ((actions >= jnp.array([-2.0, 0.0])) & (actions <= jnp.array([2.0, 0.3]))).all()


def test_it_comes_back_from_its_file(tmp_path):
    for policy in (random_policy(), random_policy((), behind=(3,)), random_policy((), space=Box(-1.0, 1.0, (2,)))):
        save_policy(tmp_path / "policy.npz", policy)
        assert same(load_policy(tmp_path / "policy.npz"), policy)
    assert isinstance(load_policy(tmp_path / "policy.npz"), GRUPolicy)


def test_it_is_not_the_perceptron_of_the_same_arrays():
    perceptron = MLPPolicy((np.eye(2),) * 4, (np.zeros(2),) * 4, "tanh")
    unit = GRUPolicy((np.ones((4, 2)),) * 3 + (np.eye(2),), (np.zeros(2),) * 4)
    assert not same(perceptron, unit)


KERNELS = ((np.zeros((3, 2)),) * 3) + (np.zeros((2, 2)),)
BIASES = (np.zeros(2),) * 4


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ((KERNELS[:3], BIASES[:3]), "3 kernels, expected at least 4: 0 in front, update gate, reset gate, candidate"),
        ((KERNELS, BIASES, "tanh", None, -1), "front is -1"),
        (((np.zeros((2, 2)),) * 3 + KERNELS[3:], BIASES), r"expected \[features \+ 2, 2\] each"),
        ((KERNELS[:2] + (np.zeros((4, 2)),) + KERNELS[3:], BIASES), r"\[3, 2\], \[3, 2\], \[4, 2\], expected"),
        ((KERNELS[:3] + (np.zeros((3, 2)),), BIASES), r"kernel 3, behind the recurrent unit, has shape \[3, 2\]"),
        (((*KERNELS, np.zeros((3, 2))), (*BIASES, np.zeros(2))), "kernel 0 has shape .*do not chain"),
        ((((np.zeros((5, 4))),) + KERNELS, (np.zeros(4), *BIASES), "tanh", None, 1), r"expected \[4 \+ 2, 2\] each"),
        ((KERNELS, (*BIASES[:3], np.full(2, np.nan))), r"bias 3\[0\] is nan"),
        ((KERNELS, BIASES, "gelu"), "the activation is 'gelu'"),
        ((KERNELS, BIASES, "tanh", Box(-1.0, 1.0, (3,))), "the network has 2 outputs"),
    ],
)
def test_what_is_no_policy_is_one_line(made, message):
    with pytest.raises(UserError, match=f"^GRUPolicy: .*{message}") as caught:
        GRUPolicy(*made)
    assert "\n" not in str(caught.value)


def test_a_wrong_observation_is_one_line():
    policy = random_policy()
    with pytest.raises(UserError, match=re.escape("the policy reads 3 features, but the observation has shape [4]")):
        policy(None, jnp.zeros(4), policy.initial_state())


def test_a_foreign_memory_in_a_file_is_one_line(tmp_path):
    save_policy(tmp_path / "policy.npz", random_policy())
    arrays = dict(np.load(tmp_path / "policy.npz"))
    np.savez(tmp_path / "lstm.npz", **{**arrays, "memory": np.array("lstm")})
    with pytest.raises(UserError, match=r"lstm\.npz is not a policy: its memory is 'lstm', expected gru or none"):
        load_policy(tmp_path / "lstm.npz")
    np.savez(tmp_path / "none.npz", **{name: value for name, value in arrays.items() if name != "memory"})
    with pytest.raises(UserError, match="do not chain"):
        load_policy(tmp_path / "none.npz")


def test_a_tree_of_it_is_rebuilt():
    policy = random_policy()
    doubled = jax.tree.map(lambda x: 2 * x, policy)
    assert isinstance(doubled, GRUPolicy)
    np.testing.assert_array_equal(doubled.kernels[-1], 2 * policy.kernels[-1])
