"""int8 perceptrons in TensorFlow Lite's format, as float networks: what their integers stand for."""

import numpy as np

from edgerl.deploy import perceptron, tflite_file
from edgerl.envs.policy import Activation
from edgerl.tasks.imports.networks import Layer
from edgerl.util.errors import UserError

REMARK = "its integers were taken back to float32; an export quantises them anew"


def is_tflite(data: bytes) -> bool:
    """Whether a file begins as the format does."""
    return data[4:8] == b"TFL3"


def read(data: bytes, where: str) -> tuple[list[Layer], Activation | None]:
    """(layers, activation between them; None where there is a single layer).

    Weights and biases are those that the integers stand for. What the device rounds between layers is not: an export
    quantises anew, with ranges of the environment's observations.

    Raises:
      UserError: no int8 perceptron, or several kinds of activation.
    """
    graph = tflite_file.read(data, where)
    try:
        found = perceptron.layers(graph)
    except UserError as error:
        raise UserError(f"{where} is not an int8 multilayer perceptron: {error}") from error
    kinds = {layer.activation for layer in found[:-1]}
    if len(kinds) > 1:
        raise UserError(f"{where} has the activations {', '.join(sorted(kinds))}; a policy has one between all layers")
    layers = []
    for i, (dense, _) in enumerate(found):
        scales = dense.scales.astype(np.float64)
        source = float(graph.read(dense)[0].q.scale)
        kernel = (dense.weights * scales.reshape(-1, 1)).T
        layers.append(Layer(f"layer {i}", kernel, dense.bias * (source * scales)))
    return layers, kinds.pop() if kinds else None  # type: ignore[return-value]
