"""The same integers in JAX, TFLM, host C under sanitizers, and rv32imc under emulation."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.perceptrons import Layer, network
from variants import seldom

from benchmarks import equality
from edgerl import UserError
from edgerl.deploy import c_source, int8_policy, integer, perceptron, tflite_file, tflm, toolchain
from edgerl.deploy.fixed_functions import activation_table
from edgerl.deploy.ops import Sigmoid, Tanh
from edgerl.deploy.tensor import Quantisation, quantise_multiplier

MISSING = toolchain.RV32.missing()


@pytest.mark.parametrize("seed", [0, 1, *seldom(2, 3, 4)])
def test_random_networks(seed):
    rng = np.random.default_rng(seed)
    found = equality.compare(equality.random_network(rng), rng, 1500)
    assert found["quantiser"] == found["TFLM"] == found["host C"] == 0
    if MISSING is None:
        assert found["rv32imc"] == 0


@pytest.mark.parametrize("seed", [0, *seldom(1, 2)])
def test_random_continuous_networks(seed):
    rng = np.random.default_rng(seed)
    graph = equality.random_network(rng, continuous=True)
    found = equality.compare(graph, rng, 1500, equality.random_box(rng, perceptron.sizes(graph)[-1]))
    assert all(value in (0, MISSING) for value in found.values()), found


def test_more_numbers_of_an_action_than_registers():
    rng = np.random.default_rng(1)
    graph = equality.random_network(rng, (4, 8, 70), continuous=True)
    found = equality.compare(graph, rng, 400, equality.random_box(rng, 70))
    assert all(value in (0, MISSING) for value in found.values()), found


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_the_emulator_was_used():
    rng = np.random.default_rng(9)
    assert equality.compare(equality.random_network(rng), rng, 50)["rv32imc"] == 0


@pytest.mark.parametrize("actions", [257, *seldom(256, 700)])
def test_more_actions_than_a_byte_counts(actions):
    """Also those that tell the two tables of test vectors apart: 8 bits hold 256 actions."""
    rng = np.random.default_rng(actions)
    found = equality.compare(equality.random_network(rng, (4, 8, actions)), rng, 400)
    assert all(value in (0, MISSING) for value in found.values()), found


def test_a_layer_too_wide_for_the_c(tmp_path):
    layer = Layer(
        np.ones((40_000, 1), np.int8),
        np.zeros(40_000, np.int32),
        np.float32([1]),
        Quantisation(np.float32(1), 0),
        "none",
    )
    policy = equality.deployed(network(Quantisation(np.float32(1), 0), layer))
    vectors = c_source.TestVectors(np.zeros((1, 1)), np.zeros((1, 40_000)), np.zeros(1))
    with pytest.raises(UserError, match="at most 32767 features, neurons and actions; 40000 are too many"):
        c_source.generate(policy, c_source.Origin("0"), vectors)


def test_a_wide_layer_beyond_float32s_exact_sums():
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, (3, 700)).astype(np.int8)
    layer = Layer(weights, np.zeros(3, np.int32), np.float32([0.01]), Quantisation(np.float32(1.0), 5), "none")
    found = equality.compare(network(Quantisation(np.float32(1 / 128), -3), layer), rng, 500)
    assert all(value in (0, MISSING) for value in found.values())


def test_scales_are_multiplied_in_float64():
    """Sums that a multiplier from a float32 product would round to the other side; in general one in a million."""
    source, scale = np.float32(0.2741), np.float32(0.087)
    output = Quantisation(np.float32(float(source) * float(scale) * 2**14), 0)
    layer = Layer(np.zeros((1, 1), np.int8), np.zeros(1, np.int32), np.float32([scale]), output, "none")
    out = network(Quantisation(source, 0), layer).program().steps[0].out
    multiplier, shift = out.multiplier, out.shift
    other, other_shift = quantise_multiplier(float(source * scale) / float(output.scale))
    assert (int(shift[0]), int(multiplier[0])) != (other_shift, other)
    sums = np.arange(-(2**21), 2**21, dtype=np.int32)
    exact = np.asarray(integer.requantise(sums, multiplier, shift))
    telling = sums[(exact != integer.requantise(sums, jnp.int32(other), jnp.int32(other_shift))) & (abs(exact) < 127)]
    assert len(telling) > 1
    layer = layer._replace(weights=np.zeros((len(telling), 1), np.int8), bias=telling)
    made = network(Quantisation(source, 0), layer)
    outputs, _ = tflm.run(tflite_file.write(made), np.zeros((1, 1), np.int8))
    np.testing.assert_array_equal(outputs[0], made.program()(jnp.zeros(1, jnp.int8)))


SCALES = {"tanh": Tanh.SCALE, "sigmoid": Sigmoid.SCALE}
# (kind, scale, zero point, input): entries at which a table made in float is off by one.
FLOAT_IS_WRONG = [
    ("tanh", 0.0054136827, 32, -61),
    ("tanh", 0.009073293, -70, 85),
    ("tanh", 0.0010370194, -60, 65),
    ("sigmoid", 0.003004714, 111, 30),
    ("sigmoid", 0.0043754117, 56, -118),
    ("sigmoid", 0.0088345865, 75, 20),
]


@pytest.mark.parametrize(("kind", "scale", "zero", "at"), FLOAT_IS_WRONG)
def test_tables_are_tflms(kind, scale, zero, at):
    """A dense layer that passes its input on, the table, and another that passes that on."""
    scale = np.float32(scale)
    one = Layer(np.array([[1]], np.int8), np.zeros(1, np.int32), np.float32([1.0]), Quantisation(scale, zero), kind)
    last = Layer(np.array([[1]], np.int8), np.zeros(1, np.int32), np.float32([1.0]), SCALES[kind], "none")
    made = network(Quantisation(scale, zero), one, last)
    inputs = np.arange(-128, 128, dtype=np.int8)[:, None]
    outputs, _ = tflm.run(tflite_file.write(made), inputs)
    table = activation_table(kind, scale, zero)
    np.testing.assert_array_equal(outputs[:, 0], table)
    x = np.float64(scale) * (at - zero)
    exact = 128 * np.tanh(x) if kind == "tanh" else 256 / (1 + np.exp(-x)) - 128
    assert table[at + 128] != np.sign(exact) * np.floor(abs(exact) + 0.5)


@pytest.mark.parametrize("kind", ["tanh", "sigmoid"])
def test_tables_are_near_the_functions(kind):
    for scale in (1e-4, 0.01, 0.05, 0.3):
        x = np.float64(np.float32(scale)) * (np.arange(-128, 128) - 7)
        exact = 128 * np.tanh(x) if kind == "tanh" else 256 / (1 + np.exp(-x)) - 128
        assert np.abs(activation_table(kind, scale, 7) - np.clip(exact, -128, 127)).max() <= 0.51


def test_saving_and_loading_keeps_every_integer(tmp_path):
    deployed = equality.deployed(equality.random_network(np.random.default_rng(4)))
    int8_policy.save(tmp_path / "policy_int8.npz", deployed)
    again = int8_policy.load(tmp_path)
    assert jax.tree.structure(again) == jax.tree.structure(deployed.policy)
    chex.assert_trees_all_equal(again, deployed.policy)
