"""A small residual network in float32, in int8 in JAX, on TFLM, as C on this host under sanitizers, and on rv32imc."""

import dataclasses
import itertools
import math
import shutil
import subprocess

import jax.numpy as jnp
import numpy as np
import pytest

from edgerl import UserError
from edgerl.deploy import graph as networks
from edgerl.deploy import graph_c, names, tflite_file, tflm, toolchain
from edgerl.deploy.graph import Builder
from edgerl.deploy.ops import Add, Conv, Dense, Mean, Sigmoid, Tanh

MISSING = toolchain.RV32.missing()
WORDS = names.words("net", "0" * 64)


def random_network(seed):
    """(float network, ends of its two parts): two blocks of odd sizes, the second with a shortcut; a classifier."""
    rng = np.random.default_rng(seed)
    builder = Builder((9, 7, 3))

    def conv(source, outputs, window, stride=1, activation="none"):
        inputs = builder.tensors[source].shape[2]
        weights = rng.normal(size=(outputs, window, window, inputs)) * np.sqrt(2 / (window**2 * inputs))
        weights *= 2.0 ** rng.uniform(-3, 1, outputs)[:, None, None, None]  # channels of unlike size
        bias = 0.3 * rng.normal(size=outputs)
        fields = {"weights": weights.astype(np.float32), "bias": bias.astype(np.float32)}
        return builder.add(Conv, source, stride=stride, activation=activation, **fields)

    x = conv(0, 17, 3, activation="relu")
    x = builder.add(Add, x, conv(conv(x, 8, 3, activation="relu"), 17, 3), activation="relu")
    end = len(builder.operations)
    y = conv(conv(x, 33, 3, stride=2, activation="relu6"), 33, 3)
    x = builder.add(Add, conv(x, 33, 1, stride=2), y)
    conv(builder.add(Mean, x), 5, 1)
    return builder.graph(), (end, len(builder.operations))


@pytest.fixture(scope="module")
def quantised():
    """(float network, int8 network, ends, float inputs)."""
    network, ends = random_network(0)
    inputs = np.random.default_rng(1).normal(size=(64, 9, 7, 3)).astype(np.float32)
    return network, networks.quantise(network, networks.ranges(network, [inputs])), ends, inputs


def random_inputs(num):
    rng = np.random.default_rng(2)
    inputs = rng.integers(-128, 128, (num, 9, 7, 3))
    inputs[0], inputs[1], inputs[2] = -128, 127, rng.choice([-128, 127], (9, 7, 3))
    return inputs.astype(np.int8)


def in_jax(network, ends, inputs):
    """int8 outputs of both parts, [N, …]."""
    found = []
    for part in network.parts(ends):
        inputs = np.asarray(part.program()(inputs))
        found.append(inputs)
    return found


def test_int8_is_near_float(quantised):
    network, int8, _, inputs = quantised
    exact = np.asarray(networks.values(network, inputs)[network.output])
    scale, source = int8.tensors[int8.output].q, int8.tensors[0].q
    q = np.clip(np.rint(inputs / source.scale) + source.zero_point, -128, 127).astype(np.int8)
    made = (np.asarray(int8.program()(q)).astype(np.float32) - scale.zero_point) * scale.scale
    assert np.abs(made - exact).mean() < 0.03 * exact.std()


def test_jax_is_tflm(quantised):
    _, int8, ends, _ = quantised
    inputs = random_inputs(60)
    for part, expected in zip(int8.parts(ends), in_jax(int8, ends, inputs), strict=True):
        outputs, _ = tflm.run(tflite_file.write(part), inputs)
        np.testing.assert_array_equal(outputs, expected)
        assert len(np.unique(outputs)) > 20
        inputs = outputs


@pytest.mark.parametrize("target", [toolchain.HOST, toolchain.RV32], ids=lambda target: target.name)
def test_jax_is_c(quantised, target, tmp_path):
    if target.missing():
        pytest.skip(target.missing())
    _, int8, ends, _ = quantised
    inputs = random_inputs(60)
    for name, text in graph_c.generate(int8, ends, ["body", "head"], WORDS).items():
        (tmp_path / name).write_text(text)
    toolchain.shim(tmp_path, "net", "_network")
    sources = [tmp_path / "net_network.c", toolchain.harness("parts.c")]
    program = toolchain.build(target, sources, [tmp_path], tmp_path / "parts")
    expected = in_jax(int8, ends, inputs)
    record = np.dtype([(f"part_{i}", np.int8, outputs.shape[1:]) for i, outputs in enumerate(expected)])
    records = toolchain.feed(target, program, inputs, record)
    for i, outputs in enumerate(expected):
        np.testing.assert_array_equal(records[f"part_{i}"], outputs)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiles_without_a_warning(quantised, compiler, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} (Debian package {compiler}) is not installed")
    _, int8, ends, _ = quantised
    for name, text in graph_c.generate(int8, ends, ["body", "head"], WORDS).items():
        (tmp_path / name).write_text(text)
    for level in ("-O0", "-O2", "-Os"):
        command = [compiler, *toolchain.STRICT, "-Wconversion", "-Wshadow", level, "-c", "net_network.c"]
        subprocess.run(command, cwd=tmp_path, check=True)


def test_tensors_that_live_together_lie_apart(quantised):
    _, int8, ends, _ = quantised
    offsets, arena = graph_c.plan(int8, ends)
    alive = {int8.input}
    for i, operation in enumerate(int8.operations):
        alive.add(operation.target)
        places = sorted((offsets[t], offsets[t] + math.prod(int8.tensors[t].shape)) for t in alive)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(places))
        alive = {t for t in alive if any(t in later.sources for later in int8.operations[i + 1 :])}
    assert arena < sum(math.prod(tensor.shape) for tensor in int8.tensors)


def test_a_channel_without_weights_keeps_its_bias():
    builder = Builder((1, 1, 2))
    weights = np.array([[0, 0], [1e-12, 0], [1, -1]], np.float32)[:, None, None, :]
    builder.add(Conv, 0, weights=weights, bias=np.array([0.7, -0.7, 0], np.float32))
    int8 = networks.quantise(builder.graph(), np.array([[-1, 1], [-1, 1]]))
    scale = int8.tensors[1].q
    made = np.asarray(int8.program()(jnp.zeros((1, 1, 1, 2), jnp.int8)))[0, 0, 0].astype(float)
    np.testing.assert_allclose((made - scale.zero_point) * scale.scale, [0.7, -0.7, 0], atol=0.005)


def test_accumulators_out_of_range_are_refused():
    builder = Builder((1, 1, 40_000))
    builder.add(Conv, 0, weights=np.ones((1, 1, 1, 40_000), np.float32), bias=np.zeros(1, np.float32))
    with pytest.raises(UserError, match="2\\^29"):
        networks.quantise(builder.graph(), np.array([[0, 1], [0, 1]]))


def test_multiply_accumulates_by_hand():
    network, ends = random_network(0)
    body, head = network.parts(ends)
    assert body.macs() == 63 * 9 * (3 * 17 + 17 * 8 + 8 * 17)
    assert head.macs() == 5 * 4 * (9 * 17 * 33 + 9 * 33 * 33 + 17 * 33) + 33 * 5
    assert dataclasses.replace(head, operations=head.operations[:1]).macs() == 20 * 9 * 17 * 33


def test_a_perceptron_in_parts_is_the_same_in_c(tmp_path):
    """Dense layers and tables behind each other in one arena, as a network that is no chain would have them."""
    rng = np.random.default_rng(3)
    builder, at = Builder((6,)), 0
    for outputs, kind, activation in ((17, Tanh, "none"), (9, None, "relu6"), (5, Sigmoid, "none"), (3, None, "none")):
        inputs = builder.tensors[at].size
        fields = {"weights": rng.normal(size=(outputs, inputs)) / 2, "bias": rng.normal(size=outputs)}
        at = builder.add(Dense, at, activation=activation, **fields)
        at = at if kind is None else builder.add(kind, at)
    float_inputs = rng.normal(size=(200, 6)).astype(np.float32)
    int8 = networks.quantise(builder.graph(), networks.ranges(builder.graph(), [float_inputs]), per_channel=True)
    for name, text in graph_c.generate(int8, (len(int8.operations),), ["all"], WORDS).items():
        (tmp_path / name).write_text(text)
    toolchain.shim(tmp_path, "net", "_network")
    sources = [tmp_path / "net_network.c", toolchain.harness("parts.c")]
    program = toolchain.build(toolchain.HOST, sources, [tmp_path], tmp_path / "parts")
    inputs = rng.integers(-128, 128, (300, 6)).astype(np.int8)
    found = toolchain.feed(toolchain.HOST, program, inputs, np.dtype([("out", np.int8, (3,))]))
    expected = np.asarray(int8.program()(inputs))
    np.testing.assert_array_equal(found["out"], expected)
    np.testing.assert_array_equal(tflm.run(tflite_file.write(int8), inputs)[0], expected)
    assert len(np.unique(expected)) > 50
