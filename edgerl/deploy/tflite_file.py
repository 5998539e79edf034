"""The `.tflite` of an int8 network: written of any graph, read of a policy's; without TensorFlow."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from edgerl.deploy import networks
from edgerl.deploy.graph import Builder, Graph
from edgerl.deploy.ops import Add, Concatenation, Dense, Multiply, Sigmoid, Slice, Subtract, Tanh
from edgerl.deploy.tensor import Quantisation, Tensor
from edgerl.deploy.tflite_writer import FUSED, Writer, load_schema
from edgerl.util.errors import UserError
from edgerl.util.files import first_line

_INT8, _INT32 = 9, 2  # TensorType
# What reading past the end, or through a wrong offset, raises in Python; struct.error is not a ValueError.
_MALFORMED = (
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OverflowError,
    TypeError,
    UserError,
    ValueError,
    struct.error,
)


def write(graph: Graph) -> bytes:
    """The `.tflite` of an int8 network: one input [1, …], one output."""
    writer = Writer()
    numbers: dict[int, int] = {}

    def number(index: int) -> int:
        if index not in numbers:
            tensor = graph.tensors[index]
            numbers[index] = writer.activation((1, *tensor.shape), tensor.q)
        return numbers[index]

    for operation in graph.operations:
        read = [(graph.tensors[source], number(source)) for source in operation.sources]
        operation.write(writer, read, (graph.made(operation), number(operation.target)))
    return writer.finish(number(graph.input), number(graph.output))


def read(data: bytes, where: str = "the .tflite file") -> Graph:
    """Reads an int8 multilayer perceptron. Any bytes are safe to give: nothing native parses them.

    Raises:
      UserError: not a TFLite flatbuffer, truncated or corrupted, or not an int8 multilayer perceptron.
    """
    schema = load_schema()
    try:
        if data[4:8] != b"TFL3":
            raise ValueError("the identifier TFL3 is missing")
        graph = _read(schema, schema.Model.GetRootAs(data, 0))
        networks.layers(graph)
        return graph
    except _MALFORMED as error:
        raise UserError(f"{where} is not a usable int8 multilayer perceptron ({first_line(error)})") from error


def _require(condition: Any, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _read(schema: Any, model: Any) -> Graph:
    _require(model.SubgraphsLength() == 1, "expected one subgraph")
    graph = model.Subgraphs(0)
    _require(graph.InputsLength() == graph.OutputsLength() == 1, "expected one input and one output")
    shape = [int(n) for n in graph.Tensors(graph.Inputs(0)).ShapeAsNumpy()]
    _require(len(shape) == 2 and shape[0] == 1 and shape[1] > 0, "the input is not [1, features]")
    builder = Builder(shape[1:], _quantisation(graph.Tensors(graph.Inputs(0))))
    numbers = {graph.Inputs(0): 0}  # of what was read or made so far: the file's → ours
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        _require(kind in _READERS, f"operator {i} is of a kind that is not supported ({kind})")
        operation, fields = _READERS[kind]
        read = [operator.Inputs(k) for k in range(operation.ARITY)]
        _require(all(n in numbers for n in read), f"operator {i} does not read what was written before")
        target = operator.Outputs(0)
        _require(target not in numbers, f"operator {i} writes what was written before")
        made = _quantisation(graph.Tensors(target))
        sources = tuple(numbers[n] for n in read)
        numbers[target] = len(builder.tensors)
        kept = operation(sources, numbers[target], **fields(schema, model, graph, operator))
        _require(kept.SCALE in (None, made), f"operator {i} has a foreign scale")
        builder.append(kept, Tensor(kept.shape(*(builder.tensors[source].shape for source in sources)), made))
    last = numbers.get(graph.Outputs(0))
    _require(builder.operations and last == builder.operations[-1].target, "the output is not the last operator's")
    return builder.graph()


def _dense(schema: Any, model: Any, graph: Any, operator: Any) -> dict[str, Any]:
    options = schema.FullyConnectedOptions()
    options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
    fused = {number: name for name, number in FUSED.items()}
    _require(options.WeightsFormat() == 0 and options.FusedActivationFunction() in fused, "unsupported dense options")
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
    activation = fused[options.FusedActivationFunction()]
    return {"weights": weights, "bias": bias, "activation": activation, "weight_scales": scales}


def _slice(schema: Any, model: Any, graph: Any, operator: Any) -> dict[str, Any]:
    begin, size = (graph.Tensors(operator.Inputs(k)) for k in (1, 2))
    _require(begin.Type() == size.Type() == _INT32, "where a slice begins is not int32")
    pairs = [_buffer(model, tensor, np.int32).tolist() for tensor in (begin, size)]
    _require([len(pair) for pair in pairs] == [2, 2] and [pair[0] for pair in pairs] == [0, 1], "a slice of the batch")
    return {"start": pairs[0][1], "size": pairs[1][1]}


def _concatenation(schema: Any, model: Any, graph: Any, operator: Any) -> dict[str, Any]:
    options = schema.ConcatenationOptions()
    options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
    _require(operator.InputsLength() == 2 and options.Axis() in (1, -1), "not two vectors one behind the other")
    _require(options.FusedActivationFunction() == 0, "an activation that is not supported")
    return {}


def _plain(name: str) -> Callable[..., dict[str, Any]]:
    """Of an operator whose options hold nothing but an activation, which must be none; "": it has no options."""

    def fields(schema: Any, model: Any, graph: Any, operator: Any) -> dict[str, Any]:
        if name:
            options = getattr(schema, name)()
            options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
            _require(options.FusedActivationFunction() == 0, "an activation that is not supported")
        return {}

    return fields


# TFLite's kind → the operation, and what its own fields are.
_READERS: dict[int, tuple[type[Any], Callable[..., dict[str, Any]]]] = {
    Dense.CODE[0]: (Dense, _dense),
    Tanh.CODE[0]: (Tanh, _plain("")),
    Sigmoid.CODE[0]: (Sigmoid, _plain("")),
    Slice.CODE[0]: (Slice, _slice),
    Concatenation.CODE[0]: (Concatenation, _concatenation),
    Add.CODE[0]: (Add, _plain("AddOptions")),
    Subtract.CODE[0]: (Subtract, _plain("SubOptions")),
    Multiply.CODE[0]: (Multiply, _plain("MulOptions")),
}


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
