"""The .tflite reader takes any bytes: a network, or one line that says why not."""

import dataclasses

import numpy as np
import pytest

from benchmarks.equality import random_network
from edgerl import UserError
from edgerl.deploy import flatbuffer, flatbuffer_writer


@pytest.fixture(scope="module")
def networks():
    rng = np.random.default_rng(0)
    return [random_network(rng) for _ in range(20)]


def test_what_is_written_is_read_back(networks):
    for network in networks:
        data = flatbuffer.write_network(network)
        read = flatbuffer.read_network(data)
        assert read.input == network.input
        for a, b in zip(read.layers, network.layers, strict=True):
            np.testing.assert_array_equal(a.weights, b.weights)
            np.testing.assert_array_equal(a.bias, b.bias)
            np.testing.assert_array_equal(a.weight_scales, b.weight_scales)
            assert (a.output, a.activation) == (b.output, b.activation)
        assert flatbuffer.write_network(read) == data


def test_weights_are_aligned(networks):
    for network in networks:
        data = flatbuffer.write_network(network)
        for layer in network.layers:
            if layer.weights.size > 64:  # small ones could occur elsewhere by chance
                assert data.index(layer.weights.tobytes()) % 16 == 0


@pytest.mark.parametrize(
    "data", [b"", b"TFL3", b"\0" * 64, b"\x1c\0\0\0TFL3", b"PK\x03\x04" + b"x" * 99, b"\xff" * 999]
)
def test_foreign_bytes_are_refused(data):
    with pytest.raises(UserError, match=r"model\.tflite is not a usable int8 multilayer perceptron"):
        flatbuffer.read_network(data, "model.tflite")


def test_mutated_files_are_read_or_refused(networks):
    rng = np.random.default_rng(1)
    originals = [flatbuffer.write_network(network) for network in networks[:5]]
    refused, lines = 0, set()
    for i in range(2500):
        data = bytearray(originals[i % len(originals)])
        if i % 3 == 0:
            data = data[: rng.integers(len(data))]
        else:
            # The tables that describe the graph are at the end and at the start; the weights matter less.
            for _ in range(rng.integers(1, 6)):
                data[rng.integers(len(data))] = rng.integers(256)
        try:
            flatbuffer.read_network(bytes(data))
        except UserError as error:
            refused += 1
            lines |= {len(str(error).splitlines())}
    assert refused > 500
    assert lines == {1}


def test_a_float_model_is_refused(networks):
    data = bytearray(flatbuffer.write_network(networks[0]))
    schema = flatbuffer_writer.load_schema()
    tensor = schema.Model.GetRootAs(data, 0).Subgraphs(0).Tensors(0)
    kind = tensor._tab.Offset(6)  # the field `type`
    data[tensor._tab.Pos + kind] = 0  # FLOAT32
    with pytest.raises(UserError, match="not int8"):
        flatbuffer.read_network(bytes(data))


def test_an_activated_output_is_refused(networks):
    network = networks[0]
    last = dataclasses.replace(network.layers[-1], activation="tanh")
    data = flatbuffer.write_network(dataclasses.replace(network, layers=(*network.layers[:-1], last)))
    with pytest.raises(UserError, match="activation of its own"):
        flatbuffer.read_network(data)
