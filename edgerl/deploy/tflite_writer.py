"""Writing `.tflite` files of int8 graphs, without TensorFlow.

The writer keeps what an interpreter needs and leaves out a converter's names, metadata and descriptions. Weights are
16-byte aligned within the file, which vectorised kernels ask for.
"""

from typing import Any

import numpy as np

from edgerl.deploy.tensor import Fused, Quantisation
from edgerl.util.errors import UserError

FUSED: dict[Fused, int] = {"none": 0, "relu": 1, "relu6": 3}  # ActivationFunctionType
_KINDS = {np.dtype(np.int8): 9, np.dtype(np.int32): 2}  # TensorType


def load_schema() -> Any:
    """The module with TFLite's flatbuffer schema."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise UserError(".tflite files need ai-edge-litert: pip install 'edgerl[export]'") from error
    return schema_py_generated


class Writer:
    """Collects the buffers, tensors and operators of one graph; a flatbuffer is built from its leaves up."""

    def __init__(self) -> None:
        self.schema = load_schema()  # which says what is not installed
        import flatbuffers

        self.builder = flatbuffers.Builder(1024)
        self.buffers = [self.table("Buffer")]  # buffer 0 is for tensors without data
        self.tensors: list[int] = []
        self.operators: list[int] = []
        self.codes: list[tuple[int, int]] = []

    def activation(self, shape: tuple[int, ...], quantisation: Quantisation) -> int:
        """Index of a new int8 tensor without data."""
        kind = _KINDS[np.dtype(np.int8)]
        return self._tensor(shape, kind, 0, np.array([quantisation.scale]), quantisation.zero_point)

    def constant(self, data: np.ndarray, scales: Any = None) -> int:
        """Index of a new tensor with data, int8 or int32; its scales are along the first axis, its zero points 0."""
        raw = np.frombuffer(data.astype(data.dtype.newbyteorder("<")).tobytes(), np.uint8)
        self.builder.Prep(16, len(raw))
        self.buffers.append(self.table("Buffer", Data=self.builder.CreateNumpyVector(raw)))
        return self._tensor(data.shape, _KINDS[data.dtype], len(self.buffers) - 1, scales, 0)

    def _tensor(self, shape: tuple[int, ...], kind: int, buffer: int, scales: Any, zero: int) -> int:
        fields = {"Type": kind, "Buffer": buffer}
        if scales is not None:
            fields["Quantization"] = self.table(
                "QuantizationParameters",
                Scale=self._numbers(scales, np.float32),
                ZeroPoint=self._numbers(np.full(len(scales), zero), np.int64),
                QuantizedDimension=0,
            )
        self.tensors.append(self.table("Tensor", Shape=self._numbers(shape, np.int32), **fields))
        return len(self.tensors) - 1

    def operator(
        self, code: tuple[int, int], inputs: list[int], output: int, options: tuple[str, int] | None = None
    ) -> int:
        """Adds an operator; index of its output.

        Args:
          code: the operator's kind (BuiltinOperator) and version.
          options: their type's name, and what `table` returned for them.
        """
        if code not in self.codes:
            self.codes.append(code)
        fields = {"OpcodeIndex": self.codes.index(code)}
        if options:
            kind = getattr(self.schema.BuiltinOptions, options[0])
            fields |= {"BuiltinOptionsType": kind, "BuiltinOptions": options[1]}
        vectors = {"Inputs": self._numbers(inputs, np.int32), "Outputs": self._numbers([output], np.int32)}
        self.operators.append(self.table("Operator", **vectors, **fields))
        return output

    def finish(self, first: int, last: int) -> bytes:
        """The file, given the tensors that are the graph's input and output."""
        graph = self.table(
            "SubGraph",
            Tensors=self._offsets(self.tensors),
            Inputs=self._numbers([first], np.int32),
            Outputs=self._numbers([last], np.int32),
            Operators=self._offsets(self.operators),
        )
        codes = [
            self.table("OperatorCode", DeprecatedBuiltinCode=kind, BuiltinCode=kind, Version=version)
            for kind, version in self.codes
        ]
        model = self.table(
            "Model",
            Version=3,
            OperatorCodes=self._offsets(codes),
            Subgraphs=self._offsets([graph]),
            Buffers=self._offsets(self.buffers),
        )
        self.builder.Finish(model, b"TFL3")
        return bytes(self.builder.Output())

    def table(self, name: str, **fields: Any) -> int:
        """A table of the schema; `fields` are scalars, or the offsets of what was written before."""
        getattr(self.schema, f"{name}Start")(self.builder)
        for field, value in fields.items():
            getattr(self.schema, f"{name}Add{field}")(self.builder, value)
        return getattr(self.schema, f"{name}End")(self.builder)

    def _offsets(self, offsets: list[int]) -> int:
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()

    def _numbers(self, values: Any, dtype: type) -> int:
        return self.builder.CreateNumpyVector(np.asarray(values, dtype))
