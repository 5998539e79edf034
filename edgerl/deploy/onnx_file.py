"""The float policy as `NAME.onnx`: an extra file of an export, for what runs ONNX beside a microcontroller.

A perceptron is four operators of ONNX, so it is written by ONNX's own helpers. A converter of whole JAX programs
(jax2onnx) brings a dozen packages more, for the same file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.deploy.extras import Extra, Firmware
from edgerl.envs.policy import MLPPolicy
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
      UserError: onnx is not installed, or the policy has a memory.
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

    Raises:
      UserError: onnx is not installed, or the policy has a memory.
    """
    helper = load_onnx().helper
    if not isinstance(policy, MLPPolicy):
        raise UserError("--onnx: a policy with memory is not written as ONNX; only multilayer perceptrons are")
    graph = _Graph(helper)
    at = "observation"
    for i, (kernel, bias) in enumerate(zip(policy.kernels, policy.biases, strict=True)):
        at = graph.add("Gemm", at, graph.constant(f"kernel_{i}", kernel), graph.constant(f"bias_{i}", bias))
        if i + 1 < len(policy.kernels):
            at = graph.activation(policy.activation, at)
    shape = graph.decide(policy, at)
    kinds = helper.np_dtype_to_tensor_dtype
    read = helper.make_tensor_value_info("observation", kinds(np.dtype("f4")), ["batch", policy.sizes[0]])
    kind = np.dtype("i8" if policy.space is None else "f4")
    made = helper.make_tensor_value_info("action", kinds(kind), ["batch", *shape])
    whole = helper.make_graph(graph.nodes, "policy", [read], [made], graph.constants)
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

    def activation(self, activation: str, at: str) -> str:
        if activation in _OPERATORS:
            return self.add(_OPERATORS[activation], at)
        number = len(self.nodes)
        ends = self.constant(f"zero_{number}", np.float32(0)), self.constant(f"six_{number}", np.float32(6))
        return self.add("Clip", at, *ends)

    def decide(self, policy: MLPPolicy, at: str) -> tuple[int, ...]:
        """What `MLPPolicy` makes of its outputs; the shape of an action."""
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
