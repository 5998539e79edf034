"""The .tflite reader takes any bytes: a network, or one line that says why not."""

import dataclasses
import sys

import numpy as np
import pytest

from benchmarks.equality import random_network
from edgerl import UserError
from edgerl.deploy import perceptron, tflite_file, tflite_writer
from edgerl.deploy.ops import Tanh
from edgerl.deploy.tensor import Tensor


@pytest.fixture(scope="module")
def networks():
    rng = np.random.default_rng(0)
    return [random_network(rng) for _ in range(20)]


def test_what_is_not_installed_is_said(networks, monkeypatch):
    for module in ("flatbuffers", "ai_edge_litert"):  # which brings the other
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r"need ai-edge-litert: pip install 'edgerl\[export\]'"):
        tflite_file.write(networks[0])


def test_what_is_written_is_read_back(networks):
    for network in networks:
        data = tflite_file.write(network)
        read = tflite_file.read(data)
        assert read.tensors == network.tensors
        for a, b in zip(read.operations, network.operations, strict=True):
            assert (type(a), a.sources, a.target) == (type(b), b.sources, b.target)
            for name, values in a.arrays().items():
                np.testing.assert_array_equal(values, b.arrays()[name])
        assert tflite_file.write(read) == data


def test_weights_are_aligned(networks):
    for network in networks:
        data = tflite_file.write(network)
        for layer, _ in perceptron.layers(network):
            if layer.weights.size > 64:  # small ones could occur elsewhere by chance
                assert data.index(layer.weights.tobytes()) % 16 == 0


@pytest.mark.parametrize(
    "data", [b"", b"TFL3", b"\0" * 64, b"\x1c\0\0\0TFL3", b"PK\x03\x04" + b"x" * 99, b"\xff" * 999]
)
def test_foreign_bytes_are_refused(data):
    with pytest.raises(UserError, match=r"model\.tflite is not a usable int8 multilayer perceptron"):
        tflite_file.read(data, "model.tflite")


def test_mutated_files_are_read_or_refused(networks):
    rng = np.random.default_rng(1)
    originals = [tflite_file.write(network) for network in networks[:5]]
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
            tflite_file.read(bytes(data))
        except UserError as error:
            refused += 1
            lines |= {len(str(error).splitlines())}
    assert refused > 500
    assert lines == {1}


def test_a_float_model_is_refused(networks):
    data = bytearray(tflite_file.write(networks[0]))
    schema = tflite_writer.load_schema()
    tensor = schema.Model.GetRootAs(data, 0).Subgraphs(0).Tensors(0)
    kind = tensor._tab.Offset(6)  # the field `type`
    data[tensor._tab.Pos + kind] = 0  # FLOAT32
    with pytest.raises(UserError, match="not int8"):
        tflite_file.read(bytes(data))


def test_an_activated_output_is_refused(networks):
    network = networks[0]
    made = network.tensors[network.output]
    tensors = (*network.tensors, Tensor(made.shape, Tanh.SCALE))
    tanh = Tanh((network.output,), len(network.tensors))
    data = tflite_file.write(dataclasses.replace(network, tensors=tensors, operations=(*network.operations, tanh)))
    with pytest.raises(UserError, match="an activation follows every layer but the last"):
        tflite_file.read(data)
