"""Int8 multilayer perceptrons of given integers."""

from typing import NamedTuple

import numpy as np

from edgerl.deploy import perceptron
from edgerl.deploy.graph import Builder, Graph
from edgerl.deploy.tensor import Quantisation


class Layer(NamedTuple):
    """Weights int8 [out, in], bias int32 [out], scales float32 [1] or [out], the dense output's quantisation."""

    weights: np.ndarray
    bias: np.ndarray
    scales: np.ndarray
    output: Quantisation
    activation: str = "none"


def network(read: Quantisation, *layers: Layer) -> Graph:
    """The network of some layers whose input has the quantisation `read`."""
    builder, at = Builder(layers[0].weights.shape[1:], read), 0
    for layer in layers:
        fields = {"weights": layer.weights, "bias": layer.bias, "weight_scales": layer.scales}
        at = perceptron.append(builder, at, layer.activation, layer.output, **fields)
    return builder.graph()
