"""Networks that are a chain of dense layers with activations between: what a policy is made of."""

from typing import Any, NamedTuple

import numpy as np

from edgerl.deploy.calibration import Quantiser, fold
from edgerl.deploy.graph import Builder, Graph, quantise, ranges
from edgerl.deploy.ops import Dense, Operation, Sigmoid, Tanh
from edgerl.deploy.tensor import Quantisation
from edgerl.envs.policy import MLPPolicy
from edgerl.util.errors import UserError

BOX = Quantisation(np.float32(1 / 128), 0)  # of the outputs that are continuous actions
FUNCTIONS: dict[str, type[Operation]] = {"tanh": Tanh, "sigmoid": Sigmoid}


class Layer(NamedTuple):
    """A dense layer, and the tanh or sigmoid that follows it, if one does."""

    dense: Dense
    function: Operation | None

    @property
    def activation(self) -> str:
        """relu, relu6, tanh, sigmoid or none."""
        names = {kind: name for name, kind in FUNCTIONS.items()}
        return self.dense.activation if self.function is None else names[type(self.function)]


def from_policy(policy: MLPPolicy) -> Graph:
    """The float network of a policy: observation to logits."""
    builder, at = Builder(policy.sizes[:1]), 0
    for i, (kernel, bias) in enumerate(zip(policy.kernels, policy.biases, strict=True)):
        activation = "none" if i + 1 == len(policy.kernels) else policy.activation
        at = append(builder, at, activation, weights=np.asarray(kernel).T, bias=np.asarray(bias))
    return builder.graph()


def quantised(policy: MLPPolicy, quantiser: Quantiser, inputs: np.ndarray, per_channel: bool = False) -> Graph:
    """The int8 network of a policy that reads what a quantiser writes.

    Args:
      inputs: int8 [N, features] that calibrate it; see `calibration.representative_inputs`.
      per_channel: one weight scale for each output instead of one for each layer.
    Raises:
      UserError: sums could leave the range in which every implementation agrees, or weights overflow float32.
    """
    real = from_policy(fold(policy, quantiser))
    spans = ranges(real, [inputs.astype(np.float32) / 128])
    if policy.space is not None:
        spans[real.output] = -1, 127 / 128  # whatever was seen: int8 then saturates just where the box ends
    return quantise(real, spans, per_channel)


def append(
    builder: Builder, source: int, activation: str, quantisation: Quantisation | None = None, **fields: Any
) -> int:
    """Adds a dense layer and its activation; the number of what they write.

    Args:
      activation: relu, relu6, tanh, sigmoid or none.
      quantisation: the dense layer's, in an int8 network.
      fields: of `Dense`.
    """
    function = FUNCTIONS.get(activation)
    fused: Any = "none" if function else activation
    made = builder.add(Dense, source, quantisation=quantisation, activation=fused, **fields)
    return builder.add(function, made, quantisation=quantisation and function.SCALE) if function else made


def layers(graph: Graph) -> list[Layer]:
    """The layers of a network.

    Raises:
      UserError: it is no multilayer perceptron, or its last layer has an activation.
    """
    found: list[Layer] = []
    for operation, before in zip(graph.operations, [None, *graph.operations], strict=False):
        if before is not None and operation.sources != (before.target,):
            raise UserError("it is no chain of dense layers")
        if isinstance(operation, Dense):
            found.append(Layer(operation, None))
        elif isinstance(operation, tuple(FUNCTIONS.values())) and found and found[-1].activation == "none":
            found[-1] = Layer(found[-1].dense, operation)
        else:
            raise UserError("it is no chain of dense layers and activations")
    if not found or found[-1].activation != "none" or any(layer.activation == "none" for layer in found[:-1]):
        raise UserError("an activation follows every layer but the last, and none the last")
    return found


def sizes(graph: Graph) -> tuple[int, ...]:
    """(features, hidden …, actions)."""
    made = layers(graph)
    return (made[0].dense.weights.shape[1], *(len(layer.dense.bias) for layer in made))
