"""The float policy as `NAME.onnx`: an extra file of an export, for what runs ONNX beside a microcontroller.

A policy is a handful of ONNX's operators, so it is written by ONNX's own helpers. A converter of whole JAX programs
(jax2onnx) brings a dozen packages more, for the same file. Of a policy with memory it is one step: the state goes in
and comes out, zeros before an episode.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.deploy.extras import Extra, Firmware
from edgerl.envs.gru import GATES, GRUPolicy
from edgerl.envs.policy_file import FloatPolicy, load_policy
from edgerl.util import files
from edgerl.util.errors import UserError

NAME = "onnx"  # of the extra
OPSET, FORMAT = 17, 8  # of 2022, so that runtimes of the years since read it
_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def load_onnx() -> Any:
    """The package."""
    try:
        import onnx
    except ImportError as error:
        raise UserError(".onnx files need onnx: pip install 'edgerl[onnx]'") from error
    return onnx


def extra(wanted: bool, policy: FloatPolicy) -> dict[str, Extra]:
    """What an export of a policy is given to have the file, if it is wanted.

    Raises:
      UserError: onnx is not installed.
    """
    if wanted:
        model(policy)  # or the error, before the work
    return {NAME: Extra()} if wanted else {}


def generate(source: Path, out: Path, said: Mapping[str, Any], firmware: Firmware) -> None:
    """The extra's generator; see `edgerl.deploy.extras`. It reads the float policy, which is in the folder already."""
    del source, said
    name = firmware.words["p"]
    files.write_bytes(out / f"{name}.onnx", model(load_policy(out / f"{name}.npz")))


def model(policy: FloatPolicy) -> bytes:
    """An ONNX model: float32 `observation` [batch, features] to `action`, int64 [batch], or float32 [batch, *shape].

    With memory: also from float32 `state` to `next_state`, both [batch, units].

    Raises:
      UserError: onnx is not installed.
    """
    helper = load_onnx().helper
    graph = _Graph(helper)
    count = len(policy.kernels)
    at, first, states = "observation", 0, []
    if isinstance(policy, GRUPolicy):
        at = graph.layers(policy, at, range(policy.front))
        at, first, states = graph.remember(policy, at), policy.front + GATES, ["state", "next_state"]
    shape = graph.decide(policy, graph.layers(policy, at, range(first, count)))

    def value(name: str, kind: str, *sizes: int) -> Any:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), ["batch", *sizes])

    memory = [value(name, "f4", policy.units) for name in states if isinstance(policy, GRUPolicy)]
    read = [value("observation", "f4", policy.sizes[0]), *memory[:1]]
    made = [value("action", "i8" if policy.space is None else "f4", *shape), *memory[1:]]
    whole = helper.make_graph(graph.nodes, "policy", read, made, graph.constants)
    opsets = [helper.make_opsetid("", OPSET)]
    written = helper.make_model(
        whole, opset_imports=opsets, ir_version=FORMAT, producer_name="EdgeRL", producer_version=__version__
    )
    found: bytes = written.SerializeToString(deterministic=True)
    return found


class _Graph:
    """Nodes and constants, in order."""

    def __init__(self, helper: Any) -> None:
        self._helper = helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, values: Any) -> str:
        array = np.asarray(values)
        kind = self._helper.np_dtype_to_tensor_dtype(array.dtype)
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        self.constants.append(self._helper.make_tensor(name, kind, array.shape, data, raw=True))
        return name

    def add(self, kind: str, *read: str, made: str = "", **attributes: Any) -> str:
        made = made or f"value_{len(self.nodes)}"
        self.nodes.append(self._helper.make_node(kind, list(read), [made], **attributes))
        return made

    def dense(self, policy: FloatPolicy, i: int, at: str) -> str:
        """What layer `i` makes of `at`, without an activation."""
        names = self.constant(f"kernel_{i}", policy.kernels[i]), self.constant(f"bias_{i}", policy.biases[i])
        return self.add("Gemm", at, *names)

    def layers(self, policy: FloatPolicy, at: str, numbers: range) -> str:
        """Dense layers, an activation after each but the policy's last."""
        for i in numbers:
            at = self.dense(policy, i, at)
            at = self.activation(policy.activation, at) if i + 1 < len(policy.kernels) else at
        return at

    def remember(self, policy: GRUPolicy, seen: str) -> str:
        """The memory after a step, `next_state`; see `edgerl.envs.gru.advance`."""
        both = self.add("Concat", seen, "state", axis=1)
        update, reset = (self.add("Sigmoid", self.dense(policy, policy.front + i, both)) for i in range(2))
        mixed = self.add("Concat", seen, self.add("Mul", reset, "state"), axis=1)
        candidate = self.add("Tanh", self.dense(policy, policy.front + 2, mixed))
        share = self.add("Mul", update, self.add("Sub", "state", candidate))
        return self.add("Add", candidate, share, made="next_state")

    def activation(self, activation: str, at: str) -> str:
        if activation in _OPERATORS:
            return self.add(_OPERATORS[activation], at)
        number = len(self.nodes)
        ends = self.constant(f"zero_{number}", np.float32(0)), self.constant(f"six_{number}", np.float32(6))
        return self.add("Clip", at, *ends)

    def decide(self, policy: FloatPolicy, at: str) -> tuple[int, ...]:
        """What a policy makes of its outputs; the shape of an action."""
        if policy.space is None:
            self.add("ArgMax", at, made="action", axis=1, keepdims=0)
            return ()
        low, high = (bound.reshape(-1) for bound in policy.space.bounds())
        ends = [self.constant(name, np.float32(value)) for name, value in (("lower", -1), ("upper", 1))]
        at = self.add("Clip", at, *ends)
        at = self.add("Mul", at, self.constant("half", high / 2 - low / 2))
        at = self.add("Add", at, self.constant("middle", low / 2 + high / 2))
        at = self.add("Max", at, self.constant("low", low))
        at = self.add("Min", at, self.constant("high", high))
        shape = np.array([-1, *policy.space.shape], np.int64)
        self.add("Reshape", at, self.constant("shape", shape), made="action")
        return policy.space.shape
