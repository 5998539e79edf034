"""Reading and writing the `.tflite` of an int8 multilayer perceptron, without TensorFlow."""

import itertools
import struct
from typing import Any

import numpy as np

from edgerl.deploy.flatbuffer_writer import Writer, load_schema
from edgerl.deploy.network import Layer, LayerActivation, Network, Quantisation
from edgerl.util.errors import UserError
from edgerl.util.files import first_line

_DENSE_VERSION = 5  # of FULLY_CONNECTED; what TensorFlow 2.21 writes for int8, per tensor and per channel
_TABLE_VERSION = 2  # of TANH and LOGISTIC for int8
_INT8, _INT32 = 9, 2
_DENSE, _TANH, _LOGISTIC = 9, 28, 14
_FUSED: dict[int, LayerActivation] = {0: "none", 1: "relu", 3: "relu6"}
_OPERATORS: dict[int, LayerActivation] = {_TANH: "tanh", _LOGISTIC: "sigmoid"}
# What reading past the end, or through a wrong offset, raises in Python; struct.error is not a ValueError.
_MALFORMED = (
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)


def read_network(data: bytes, where: str = "the .tflite file") -> Network:
    """Reads an int8 multilayer perceptron. Any bytes are safe to give: nothing native parses them.

    Raises:
      UserError: not a TFLite flatbuffer, truncated or corrupted, or not an int8 multilayer perceptron.
    """
    schema = load_schema()
    try:
        if data[4:8] != b"TFL3":
            raise ValueError("the identifier TFL3 is missing")
        return _read(schema, schema.Model.GetRootAs(data, 0))
    except _MALFORMED as error:
        raise UserError(f"{where} is not a usable int8 multilayer perceptron ({first_line(error)})") from error


def _require(condition: Any, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _read(schema: Any, model: Any) -> Network:
    _require(model.SubgraphsLength() == 1, "expected one subgraph")
    graph = model.Subgraphs(0)
    _require(graph.InputsLength() == graph.OutputsLength() == 1, "expected one input and one output")
    current = graph.Inputs(0)
    quantisation = _quantisation(graph.Tensors(current))
    layers: list[Layer] = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        _require(operator.Inputs(0) == current, f"operator {i} does not read what the one before wrote")
        if kind == _DENSE:
            layers.append(_read_dense(schema, model, graph, operator))
        else:
            _require(kind in _OPERATORS and bool(layers), f"operator {i} is of a kind that is not supported ({kind})")
            layers[-1] = _activate(layers[-1], _OPERATORS[kind])
        current = operator.Outputs(0)
        _require(_quantisation(graph.Tensors(current)) == layers[-1].activated, f"operator {i} has a foreign scale")
    _require(bool(layers) and current == graph.Outputs(0), "the output is not the last operator's")
    _require(layers[-1].activation not in ("tanh", "sigmoid"), "the output has an activation of its own")
    sizes = [layer.weights.shape for layer in layers]
    _require(all(a[0] == b[1] for a, b in itertools.pairwise(sizes)), f"layer sizes do not chain: {sizes}")
    _require(
        graph.Tensors(graph.Inputs(0)).ShapeAsNumpy().tolist() == [1, sizes[0][1]], "the input is not [1, features]"
    )
    return Network(quantisation, tuple(layers))


def _read_dense(schema: Any, model: Any, graph: Any, operator: Any) -> Layer:
    options = schema.FullyConnectedOptions()
    options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
    _require(options.WeightsFormat() == 0 and options.FusedActivationFunction() in _FUSED, "unsupported dense options")
    tensor = graph.Tensors(operator.Inputs(1))
    _require(tensor.ShapeLength() == 2 and tensor.Type() == _INT8, "dense weights are not int8 [out, in]")
    outputs, inputs = (int(n) for n in tensor.ShapeAsNumpy())
    weights = _buffer(model, tensor, np.int8).reshape(outputs, inputs)
    scales = np.array(tensor.Quantization().ScaleAsNumpy(), np.float32)
    _require(len(scales) in (1, outputs) and bool((scales > 0).all() and np.isfinite(scales).all()), "weight scales")
    bias = np.zeros(outputs, np.int32)
    if operator.InputsLength() == 3 and operator.Inputs(2) >= 0:
        tensor = graph.Tensors(operator.Inputs(2))
        _require(tensor.Type() == _INT32, "the bias is not int32")
        bias = _buffer(model, tensor, np.int32)
    _require(min(weights.shape) > 0 and bias.shape == (outputs,), "dense shapes do not fit")
    output = _quantisation(graph.Tensors(operator.Outputs(0)))
    return Layer(weights, bias, scales, output, _FUSED[options.FusedActivationFunction()])


def _activate(layer: Layer, activation: LayerActivation) -> Layer:
    _require(layer.activation == "none", "two activations in a row")
    return Layer(layer.weights, layer.bias, layer.weight_scales, layer.output, activation)


def _buffer(model: Any, tensor: Any, dtype: type) -> np.ndarray:
    data = model.Buffers(tensor.Buffer()).DataAsNumpy()
    _require(isinstance(data, np.ndarray), "a constant tensor has no data")
    return np.frombuffer(data.tobytes(), np.dtype(dtype).newbyteorder("<")).astype(dtype)


def _quantisation(tensor: Any) -> Quantisation:
    parameters = tensor.Quantization()
    _require(tensor.Type() == _INT8 and parameters.ScaleLength() == 1, "an activation is not int8 with one scale")
    zero_point = int(parameters.ZeroPoint(0)) if parameters.ZeroPointLength() else 0
    scale = np.float32(parameters.Scale(0))
    _require(np.isfinite(scale) and scale > 0 and -128 <= zero_point <= 127, "scale or zero point out of range")
    return Quantisation(scale, zero_point)


def write_network(network: Network) -> bytes:
    """The `.tflite` of a network; `read_network` gives the same network back."""
    writer = Writer()
    features = network.layers[0].weights.shape[1]
    current = first = writer.activation((1, features), network.input)
    for layer, source in zip(network.layers, network.inputs, strict=True):
        current = _write_dense(writer, layer, current, source)
        if layer.activation in ("tanh", "sigmoid"):
            made = writer.activation((1, len(layer.bias)), layer.activated)
            kind = _TANH if layer.activation == "tanh" else _LOGISTIC
            current = writer.operator((kind, _TABLE_VERSION), [current], made)
    return writer.finish(first, current)


def _write_dense(writer: Writer, layer: Layer, source: int, read: Quantisation) -> int:
    """Adds a dense layer that reads tensor `source`; index of its output."""
    weights = writer.constant(layer.weights, layer.weight_scales)
    bias = writer.constant(layer.bias, (read.scale * layer.weight_scales).astype(np.float32))
    output = writer.activation((1, len(layer.bias)), layer.output)
    fused = {"relu": 1, "relu6": 3}.get(layer.activation, 0)
    options = writer.table("FullyConnectedOptions", FusedActivationFunction=fused)
    return writer.operator(
        (_DENSE, _DENSE_VERSION), [source, weights, bias], output, ("FullyConnectedOptions", options)
    )
