import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerl import Box, MLPPolicy, UserError
from edgerl.envs.policy import ACTIVATIONS, same
from edgerl.envs.policy_file import load_policy, save_policy
from edgerl.util.files import write_npz

KEY = jax.random.key(0)


def _policy(sizes=(4, 8, 8, 3), activation="tanh", seed=0):
    rng = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(sizes))
    kernels = tuple(jnp.asarray(rng.normal(size=p), jnp.float32) for p in pairs)
    return MLPPolicy(kernels, tuple(jnp.asarray(rng.normal(size=p[1]), jnp.float32) for p in pairs), activation)


def test_logits_by_hand():
    """x = [1, -2]; layer 0: [1·1 - 2·1 + 1, 1·0 - 2·1 - 1] = [0, -3] → relu [0, 0]; layer 1: its bias.
    x = [1, 1]; layer 0: [3, 0]; layer 1: 3·5 and its bias."""
    policy = MLPPolicy(
        (jnp.array([[1.0, 0.0], [1.0, 1.0]]), jnp.array([[5.0, 5.0], [7.0, 7.0]])),
        (jnp.array([1.0, -1.0]), jnp.array([0.25, 0.5])),
    )
    np.testing.assert_array_equal(policy.logits(jnp.array([1.0, -2.0])), [0.25, 0.5])
    np.testing.assert_array_equal(policy.logits(jnp.array([1.0, 1.0])), [15.25, 15.5])
    assert policy.sizes == (2, 2, 2)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_numpys(activation):
    policy = _policy(activation=activation)
    function = {
        "relu": lambda x: np.maximum(x, 0),
        "relu6": lambda x: np.clip(x, 0, 6),
        "tanh": np.tanh,
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    }[activation]
    obs = np.random.default_rng(1).normal(size=(5, 7, 4))
    x = obs
    for i, (kernel, bias) in enumerate(zip(policy.kernels, policy.biases, strict=True)):
        x = x @ np.asarray(kernel, np.float64) + np.asarray(bias, np.float64)
        x = function(x) if i < 2 else x
    np.testing.assert_allclose(policy.logits(jnp.asarray(obs, jnp.float32)), x, rtol=1e-4, atol=1e-4)


def test_the_action_is_the_greatest_output_and_the_first_of_equals():
    policy = MLPPolicy((jnp.eye(3),), (jnp.zeros(3),))
    obs = jnp.array([[0.0, 1.0, 0.5], [2.0, 2.0, 1.0], [0.0, 3.0, 3.0], [-1.0, -1.0, -1.0]])
    action = policy(KEY, obs)
    assert action.tolist() == [1, 0, 1, 0]
    assert action.dtype == jnp.int32
    assert policy(None, obs[0]).shape == ()


def test_it_is_a_pytree_of_its_weights():
    policy = _policy()
    assert len(jax.tree.leaves(policy)) == 6
    doubled = jax.tree.map(lambda x: 2 * x, policy)
    assert doubled.activation == "tanh"
    assert not same(policy, doubled)
    several = jax.tree.map(lambda *x: jnp.stack(x), _policy(seed=1), _policy(seed=2))
    obs = jnp.ones((3, 4))
    outputs = jax.jit(jax.vmap(lambda p: p.logits(obs)))(several)
    np.testing.assert_allclose(outputs[1], _policy(seed=2).logits(obs), rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.sampled_from(sorted(ACTIVATIONS)), st.integers(0, 99))
def test_a_saved_policy_comes_back_bit_for_bit(tmp_path_factory, sizes, activation, seed):
    policy, path = _policy(sizes, activation, seed), tmp_path_factory.mktemp("policy") / "p.npz"
    save_policy(path, policy)
    again = load_policy(path)
    assert same(policy, again)
    assert again.sizes == tuple(sizes)


def test_same_tells_every_difference():
    policy = _policy()
    assert same(policy, _policy())
    assert not same(policy, _policy(activation="relu"))
    assert not same(policy, _policy((4, 8, 3)))
    zero, minus_zero = (MLPPolicy((jnp.array([[x]]),), (jnp.zeros(1),)) for x in (0.0, -0.0))
    assert not same(zero, minus_zero)


GOOD = {"kernel_0": np.ones((4, 2), np.float32), "bias_0": np.ones(2, np.float32), "activation": np.asarray("relu")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel_0": None}, "is not a policy: expected kernel_i, bias_i and activation"),
        ({"bias_0": None}, "is not a policy"),
        ({"activation": None}, "is not a policy"),
        ({"activation": np.asarray("gelu")}, "is not a policy"),
        ({"kernel_1": np.ones((2, 2))}, "is not a policy"),  # without its bias
        ({"kernel_0": np.ones(4)}, r"layer 0 has kernel \(4,\) and bias \(2,\), which do not fit"),
        ({"bias_0": np.ones(3)}, r"layer 0 has kernel \(4, 2\) and bias \(3,\), which do not fit"),
        ({"kernel_1": np.ones((3, 2)), "bias_1": np.ones(2)}, r"do not chain"),
        ({"kernel_0": np.full((4, 2), np.nan)}, "layer 0 has NaN or infinite weights"),
        ({"bias_0": np.full(2, np.inf)}, "layer 0 has NaN or infinite weights"),
        ({"kernel_0": np.float32(3.0)}, "do not fit"),
        ({"kernel_0": np.full((4, 2), "a")}, "layer 0 has kernel <U1 and bias float32, not numbers"),
    ],
)
def test_what_is_no_policy_is_one_clear_line(tmp_path, change, message):
    path = tmp_path / "p.npz"
    write_npz(path, {k: v for k, v in (GOOD | change).items() if v is not None})
    with pytest.raises(UserError, match=message) as caught:
        load_policy(path)
    assert "p.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_unchanged_file_is_a_policy(tmp_path):
    write_npz(tmp_path / "p.npz", GOOD)
    assert load_policy(tmp_path / "p.npz").sizes == (4, 2)


@pytest.mark.parametrize(("sizes", "activation"), [((4, 7, 3), "tanh"), ((3, 5, 5, 2), "relu"), ((2, 20), "relu")])
def test_many_lanes_are_decided_as_one(sizes, activation):
    rng = np.random.default_rng(0)
    pairs = list(itertools.pairwise(sizes))
    policy = MLPPolicy(
        tuple(jnp.asarray(rng.normal(size=pair), jnp.float32) for pair in pairs),
        tuple(jnp.asarray(rng.normal(size=pair[1]), jnp.float32) for pair in pairs),
        activation,
    )
    obs = jnp.asarray(rng.normal(size=(sizes[0], 300)), jnp.float32)
    one_by_one = jax.vmap(lambda x: policy(None, x), in_axes=1)(obs)
    together = policy.lanes(obs)
    assert (together.shape, together.dtype) == ((300,), jnp.int32)
    np.testing.assert_array_equal(together, one_by_one)


@pytest.mark.parametrize("actions", [2, 5, 40])
def test_of_equal_scores_the_first_wins_in_every_lane(actions):
    policy = MLPPolicy((jnp.zeros((2, actions)),), (jnp.zeros(actions).at[1:].set(1.0),))
    np.testing.assert_array_equal(policy.lanes(jnp.ones((2, 9))), np.ones(9))


KERNELS, BIASES = (np.ones((4, 8)), np.ones((8, 2))), (np.zeros(8), np.zeros(2))
TURNED = tuple(kernel.T for kernel in KERNELS)


@pytest.mark.parametrize(
    ("made_of", "message"),
    [
        ((KERNELS, BIASES, "Tanh"), "activation is 'Tanh'; did you mean 'tanh'"),
        ((KERNELS, BIASES, jax.nn.relu), "did you mean 'relu'"),
        ((KERNELS, BIASES, None), "of type NoneType"),
        ((TURNED, BIASES), r"kernel 0 has shape \[8, 4\] and bias 0 has \[8\]: a kernel is \[in, out\]: torch"),
        (
            (KERNELS[:1], ([[0.0]],)),
            r"kernel 0 has shape \[4, 8\] and bias 0 has \[1, 1\]: expected a bias of shape \[8\]",
        ),
        ((KERNELS, BIASES[:1]), "2 kernels and 1 biases"),
        (((), ()), "0 kernels and 0 biases"),
        ((KERNELS[0], BIASES[0]), r"kernels is of type ndarray and shape \[4, 8\], expected a tuple"),
        ((KERNELS[:1] * 2, BIASES[:1] * 2), r"kernel 0 has shape \[4, 8\] and kernel 1 \[4, 8\], which do not chain"),
        (((KERNELS[0], KERNELS[1] * np.nan), BIASES), r"kernel 1\[0, 0\] is nan"),
        (((KERNELS[0] * 1e300, KERNELS[1]), BIASES), r"kernel 0\[0, 0\] is 1e\+300, expected finite float32"),
        ((KERNELS, (BIASES[0], jnp.array([0.0, np.inf]))), r"bias 1\[1\] is inf"),
        (((KERNELS[0] * 1j, KERNELS[1]), BIASES), "kernel 0 holds complex128"),
        (((KERNELS[0] > 0, KERNELS[1]), BIASES), "kernel 0 holds bool"),
        ((([[1, 2], [3]],), ([0, 0],)), "kernel 0 is of type list and no array of numbers"),
        (((None,), (None,)), "kernel 0 holds object"),
        (
            ((np.ones((4, 0)),), (np.zeros(0),)),
            r"kernel 0 has shape \[4, 0\], expected \[in, out\] with both at least 1",
        ),
    ],
)
def test_what_a_policy_is_not_made_of_is_one_line(made_of, message):
    with pytest.raises(UserError, match=message) as caught:
        MLPPolicy(*made_of)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make", [np.float64, np.float16, np.int64, lambda x: x.tolist(), lambda x: jnp.asarray(x, int)]
)
def test_numbers_of_any_type_become_float32(make):
    made = MLPPolicy([make(kernel) for kernel in KERNELS], [make(bias) for bias in BIASES])
    assert {leaf.dtype for leaf in jax.tree.leaves(made)} == {np.dtype("float32")}
    assert same(made, MLPPolicy(KERNELS, BIASES))


def test_jax_rebuilds_it_of_anything():
    policy = _policy()
    assert jax.tree.map(lambda x: x.shape, policy).kernels == ((4, 8), (8, 8), (8, 3))
    assert jax.tree.map(lambda x: None, policy).biases == (None,) * 3
    assert jax.eval_shape(lambda p: p, policy).kernels[0].shape == (4, 8)
    assert jax.jit(lambda p: p.replace(activation="relu"))(policy).activation == "relu"
    grown = jax.jit(lambda p, k: MLPPolicy((k, *p.kernels[1:]), p.biases, p.activation))(policy, policy.kernels[0])
    assert same(grown, policy)


def test_a_stack_and_foreign_observations_are_named(tmp_path):
    policy = _policy()
    stack = jax.tree.map(lambda x: jnp.stack([x, x]), policy)
    assert jax.vmap(lambda p: p(None, jnp.ones(4)))(stack).shape == (2,)
    assert MLPPolicy(stack.kernels, stack.biases, "tanh").sizes == policy.sizes
    for asked in (lambda: stack(None, jnp.ones(4)), lambda: save_policy(tmp_path / "p.npz", stack)):
        with pytest.raises(UserError, match="this is a stack of policies"):
            asked()
    assert not list(tmp_path.iterdir())
    for asked in (lambda: policy(None, jnp.ones(7)), lambda: policy.lanes(jnp.ones((7, 3)))):
        with pytest.raises(UserError, match=r"reads 4 features, but the observation has shape \[7\]"):
            asked()
    with pytest.raises(UserError, match="kernel 0"):
        save_policy(tmp_path / "p.npz", jax.tree.map(lambda x: x * np.nan, policy))
    with pytest.raises(UserError, match="of type dict, expected an edgerl"):
        save_policy(tmp_path / "p.npz", {})


BOX = Box((-2.0, 0.0), (2.0, 1.0), (2,))


def test_continuous_actions_are_clipped_into_their_box():
    """One output a number: -1 for the lower side, 1 for the upper one."""
    policy = MLPPolicy((jnp.eye(2),), (jnp.zeros(2),), space=BOX)
    for obs, action in (([0, 0], [0, 0.5]), ([-1, 1], [-2, 1]), ([-9, 9], [-2, 1]), ([0.5, 0.5], [1, 0.75])):
        np.testing.assert_array_equal(policy(None, jnp.array(obs, jnp.float32)), action)
    assert np.isnan(policy(None, jnp.array([jnp.nan, 0.0]))[0])
    many = jax.random.normal(jax.random.key(0), (50, 2))
    np.testing.assert_allclose(policy.lanes(many.T).T, policy(None, many), atol=1e-6)
    wide = MLPPolicy((jnp.ones((2, 6)),), (jnp.zeros(6),), space=Box(-1.0, 1.0, (2, 3)))
    assert wide(None, many).shape == (50, 2, 3)
    assert wide.lanes(many.T).shape == (2, 3, 50)


def test_continuous_policies_are_saved_with_their_box(tmp_path):
    policy = MLPPolicy((jnp.eye(2),), (jnp.zeros(2),), space=BOX)
    save_policy(tmp_path / "box.npz", policy)
    loaded = load_policy(tmp_path / "box.npz")
    assert same(loaded, policy)
    assert not same(loaded, policy.replace(space=None))
    assert not same(loaded, policy.replace(space=Box(-2.0, 2.0, (2,))))
    arrays = dict(np.load(tmp_path / "box.npz"))
    for wrong in ({"low": np.zeros(3, np.float32)}, {"high": np.float32([2, np.nan])}, {"high": np.zeros(2)}):
        np.savez(tmp_path / "wrong.npz", **{**arrays, **wrong})
        with pytest.raises(UserError, match=r"wrong\.npz"):
            load_policy(tmp_path / "wrong.npz")


@pytest.mark.parametrize("space", [Box(-1.0, 1.0, (3,)), Box(-np.inf, 1.0, (2,)), "box"])
def test_a_space_that_does_not_fit_is_refused(space):
    with pytest.raises(UserError, match="MLPPolicy: "):
        MLPPolicy((jnp.eye(2),), (jnp.zeros(2),), space=space)
