"""What policies' networks of either kind have in common: perceptrons, and those with memory."""

import numpy as np

from edgerl.deploy import perceptron, recurrent
from edgerl.deploy.calibration import Quantiser
from edgerl.deploy.graph import Graph
from edgerl.deploy.perceptron import Layer
from edgerl.envs.gru import GRUPolicy
from edgerl.envs.policy_file import FloatPolicy


def layers(graph: Graph) -> list[Layer]:
    """The dense layers of a network, in their order.

    Raises:
      UserError: it is of neither kind.
    """
    return recurrent.layers(graph) if recurrent.is_recurrent(graph) else perceptron.layers(graph)


def sizes(graph: Graph) -> tuple[int, ...]:
    """(features, hidden …, actions); of a network with memory its units are among the hidden ones."""
    return recurrent.sizes(graph) if recurrent.is_recurrent(graph) else perceptron.sizes(graph)


def units(graph: Graph) -> int:
    """How many numbers it remembers."""
    return recurrent.read(graph).units if recurrent.is_recurrent(graph) else 0


def front(graph: Graph) -> int:
    """How many layers are in front of its memory."""
    return len(recurrent.read(graph).front) if recurrent.is_recurrent(graph) else 0


def quantised(policy: FloatPolicy, quantiser: Quantiser, inputs: np.ndarray, per_channel: bool = False) -> Graph:
    """The int8 network of a policy that reads what a quantiser writes.

    Args:
      quantiser: of observations.
      inputs: int8 [N, features + units] that calibrate it; see `calibration.representative_inputs`.
      per_channel: one weight scale for each output instead of one for each layer.
    Raises:
      UserError: sums could leave the range in which every implementation agrees, or weights overflow float32.
    """
    if isinstance(policy, GRUPolicy):
        return recurrent.quantised(policy, quantiser, inputs, per_channel)
    return perceptron.quantised(policy, quantiser, inputs, per_channel)
