"""Networks with memory: a gated recurrent unit between dense layers, as one step of int8 arithmetic.

A step reads an observation and behind it the memory, and writes scores and behind them the new memory. So it is a
function of one vector, as a perceptron is, and all that compares perceptrons compares it. What it reads and writes has
the scale 1/128: the memory lies between -1 and 1, and scores are brought there, which leaves their order as it is.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from edgerl.deploy.calibration import Quantiser, fold_into, with_memory
from edgerl.deploy.graph import Builder, Graph, quantise, ranges, values
from edgerl.deploy.ops import Add, Concatenation, Dense, Multiply, Slice, Subtract
from edgerl.deploy.perceptron import FUNCTIONS, Layer, append
from edgerl.envs.gru import GATES, GRUPolicy
from edgerl.util.errors import UserError

_UNIT = (-1.0, 127 / 128)  # a span whose int8 numbers have the scale 1/128 and the zero point 0
_LEAST = 1 / 64  # of the span of a difference: no scale is so fine that sums would leave their range

_GATES = ("sigmoid", "sigmoid", "tanh")

Part = tuple[str, dict[str, Any]]  # a dense layer: its activation, and the fields of `Dense`


@dataclasses.dataclass(frozen=True)
class Step:
    """A network as its parts: what `assembled` puts together.

    Attributes:
      features, units: numbers of an observation and of the memory.
      front: layers in front of the memory.
      gates: update gate, reset gate and candidate.
      behind: layers behind the memory, of which the last one decides.
    """

    features: int
    units: int
    front: Sequence[Part]
    gates: Sequence[Part]
    behind: Sequence[Part]


def assembled(step: Step) -> tuple[Graph, dict[str, int]]:
    """The network, and the numbers of tensors by name: those that have the scale 1/128, and difference and share."""
    builder = Builder((step.features + step.units,))
    seen = builder.add(Slice, 0, start=0, size=step.features)
    memory = builder.add(Slice, 0, start=step.features, size=step.units)
    x, both = seen, 0
    for activation, fields in step.front:
        x = append(builder, x, activation, **fields)
    if step.front:
        both = builder.add(Concatenation, x, memory)
    update, reset = (append(builder, both, activation, **fields) for activation, fields in step.gates[:2])
    kept = builder.add(Multiply, reset, memory)
    mixed = builder.add(Concatenation, x, kept)
    activation, fields = step.gates[2]
    candidate = append(builder, mixed, activation, **fields)
    difference = builder.add(Subtract, memory, candidate)
    share = builder.add(Multiply, update, difference)
    after = builder.add(Add, candidate, share)
    scores = after
    for activation, fields in step.behind:
        scores = append(builder, scores, activation, **fields)
    out = builder.add(Concatenation, scores, after)
    names = ("input", "seen", "memory", "x", "both", "kept", "mixed", "after", "scores", "out", "difference", "share")
    numbers = (0, seen, memory, x, both, kept, mixed, after, scores, out, difference, share)
    return builder.graph(), dict(zip(names, numbers, strict=True))


def quantised(policy: GRUPolicy, quantiser: Quantiser, inputs: np.ndarray, per_channel: bool = False) -> Graph:
    """The int8 network of a policy that reads what a quantiser writes.

    Args:
      quantiser: of observations alone.
      inputs: int8 [N, features + units] that calibrate it: observations, and what was remembered before them.
      per_channel: one weight scale for each output instead of one for each layer.
    Raises:
      UserError: sums could leave the range in which every implementation agrees, or weights overflow float32.
    """
    step = _balanced(_folded(policy, quantiser), inputs.astype(np.float32) / 128, policy.space is not None)
    real, places = assembled(step)
    spans = ranges(real, [inputs.astype(np.float32) / 128])
    for name, number in places.items():
        if name not in ("difference", "share"):
            spans[number] = _UNIT
        elif np.ptp(spans[number]) < _LEAST:
            spans[number] = -_LEAST / 2, _LEAST / 2
    return quantise(real, spans, per_channel)


def _folded(policy: GRUPolicy, quantiser: Quantiser) -> Step:
    """The float network that reads u = q / 128."""
    kernels, biases, front = list(policy.kernels), list(policy.biases), policy.front
    reads = range(1) if front else range(GATES)
    whole = quantiser if front else with_memory(quantiser, policy.units)
    for i in reads:
        kernels[i], biases[i] = fold_into(kernels[i], biases[i], whole)
    dense = [
        {"weights": np.asarray(kernel, np.float32).T, "bias": np.asarray(bias, np.float32)}
        for kernel, bias in zip(kernels, biases, strict=True)
    ]
    activations = [str(policy.activation)] * front + [*_GATES] + [str(policy.activation)] * len(dense)
    activations[len(dense) - 1] = "none"
    parts = list(zip(activations, dense, strict=False))
    return Step(policy.sizes[0], policy.units, parts[:front], parts[front:][:GATES], parts[front + GATES :])


def _balanced(step: Step, inputs: np.ndarray, continuous: bool) -> Step:
    """The same network, whose gates read numbers between -1 and 1, and, of discrete actions, whose scores are such."""
    if step.front:
        step = _with_unit_front(step, inputs)
    if continuous:
        return step
    real, places = assembled(step)
    low, high = ranges_of(real, inputs, places["scores"])
    size = max(high - low, 1e-6) / (_UNIT[1] - _UNIT[0])
    fields = step.behind[-1][1]
    # Of all scores the same is taken: the largest stays the largest.
    last = {"weights": fields["weights"] / size, "bias": (fields["bias"] - low) / size + _UNIT[0]}
    made = ("none", {k: v.astype(np.float32) for k, v in last.items()})
    return dataclasses.replace(step, behind=[*step.behind[:-1], made])


def ranges_of(real: Graph, inputs: np.ndarray, number: int) -> tuple[float, float]:
    """The lowest and highest value of a tensor of a float network over inputs [N, …]."""
    found = np.asarray(values(real, jnp.asarray(inputs))[number])
    return float(found.min()), float(found.max())


def _with_unit_front(step: Step, inputs: np.ndarray) -> Step:
    """The same with the last layer in front as a tanh or a ReLU below 1, what reads it changed likewise."""
    activation, fields = step.front[-1]
    if activation == "tanh":
        return step
    count = len(fields["bias"])
    if activation == "sigmoid":  # 1 / (1 + exp(-a)) = (1 + tanh(a / 2)) / 2
        name, size, start, by = "tanh", 0.5, 0.5, 0.5
    else:
        real, places = assembled(step)
        largest = max(ranges_of(real, inputs, places["x"])[1], 1e-6)
        largest = min(largest, 6.0) if activation == "relu6" else largest  # where int8 saturates
        name, size, start, by = "relu", largest / _UNIT[1], 0.0, _UNIT[1] / largest
    front = [*step.front[:-1], (name, {key: (value * by).astype(np.float32) for key, value in fields.items()})]
    gates = []
    for kind, gate in step.gates:
        read, kept = gate["weights"][:, :count], gate["weights"][:, count:]
        bias = gate["bias"] + start * read.sum(axis=1)
        weights = np.concatenate([size * read, kept], axis=1)
        gates.append((kind, {"weights": weights.astype(np.float32), "bias": bias.astype(np.float32)}))
    return dataclasses.replace(step, front=front, gates=gates)


def is_recurrent(graph: Graph) -> bool:
    """Whether a network has a memory; what begins so must be one of `assembled`."""
    return isinstance(graph.operations[0], Slice)


def read(graph: Graph) -> Step:
    """The parts of a network.

    Raises:
      UserError: `assembled` makes no such network.
    """
    operations = graph.operations
    dense = [i for i, operation in enumerate(operations) if isinstance(operation, Dense)]
    products = [i for i, operation in enumerate(operations) if isinstance(operation, Multiply)]
    if not products or not all(isinstance(operation, Slice) for operation in operations[:2]):
        raise UserError("it is no network with a gated recurrent unit")
    parts = [_part(graph, i) for i in dense]
    features, units = (operation.row()[1] for operation in operations[:2])
    # The first product is that of the reset gate, in front of which are update gate and reset gate.
    front = max(0, sum(i < products[0] for i in dense) - 2)
    step = Step(features, units, parts[:front], parts[front:][:GATES], parts[front + GATES :])
    if len(step.gates) < GATES or not step.behind:
        raise UserError("it is no network with a gated recurrent unit")
    try:
        same = _wiring(assembled(step)[0]) == _wiring(graph)
    except ValueError as error:
        raise UserError(f"it is no network with a gated recurrent unit ({error})") from error
    activations = [name for name, _ in (*step.front, *step.behind[:-1])]
    right = [name for name, _ in step.gates] == list(_GATES) and step.behind[-1][0] == "none" not in activations
    if not same or not right:
        raise UserError("it is no network with a gated recurrent unit")
    return step


def _part(graph: Graph, i: int) -> Part:
    operation: Any = graph.operations[i]
    after = graph.operations[i + 1] if i + 1 < len(graph.operations) else None
    names = {kind: name for name, kind in FUNCTIONS.items()}
    fields = {"weights": operation.weights, "bias": operation.bias, "weight_scales": operation.weight_scales}
    return str(names.get(type(after), operation.activation)), fields  # type: ignore[arg-type]


def _wiring(graph: Graph) -> list[Any]:
    return [(type(operation), operation.sources, operation.target, operation.row()) for operation in graph.operations]


def layers(graph: Graph) -> list[Layer]:
    """The dense layers of a network: those in front, update gate, reset gate, candidate, those behind."""
    read(graph)  # or the error
    found = []
    for operation, after in zip(graph.operations, [*graph.operations[1:], None], strict=True):
        if isinstance(operation, Dense):
            found.append(Layer(operation, after if isinstance(after, tuple(FUNCTIONS.values())) else None))
    return found


def sizes(graph: Graph) -> tuple[int, ...]:
    """(features, layers in front …, units, layers behind …, actions)."""
    step = read(graph)
    front, behind = ([len(fields["bias"]) for _, fields in parts] for parts in (step.front, step.behind))
    return (step.features, *front, step.units, *behind)
