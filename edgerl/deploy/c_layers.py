"""The layers of a policy as the C computes them: one function a layer, its activation with it, and which inner loop."""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from edgerl.deploy import networks
from edgerl.deploy.c_kernels import MAX_BLOCK, Kernel, blocks
from edgerl.deploy.int8_policy import Deployed

_SMALL = 1024  # weights of a policy whose code would outgrow them: narrower blocks, no unrolling


@dataclasses.dataclass(frozen=True)
class CLayer:
    """A dense layer and the table that may follow it.

    Attributes:
      weights: int8 [in, out].
      bias: int32 [out].
      multiplier, shift: int32 [1] (per tensor) or [out] (per channel).
      table: int8 [256] of the tanh or sigmoid that follows; None without one.
      input_zero, output_zero: zero points of what is read and of the dense output, before the table.
      low, high: the clamp.
      kernel: its inner loop.
    """

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    table: np.ndarray | None
    input_zero: int
    output_zero: int
    low: int
    high: int
    kernel: Kernel


def of(deployed: Deployed) -> list[CLayer]:
    """The layers of a policy; those of one kind share a kernel, unrolled as far as all their inputs allow."""
    graph = deployed.graph
    layers = networks.layers(graph)
    small = sum(layer.dense.weights.size for layer in layers) < _SMALL
    hidden = [_hidden(layer.function is not None) for layer in layers[:-1]]
    last = "scores" if deployed.argmax == "outputs" else "accumulators"
    made = []
    for layer, epilogue in zip(layers, [*hidden, last], strict=True):
        dense, function = layer
        read, written = graph.read(dense), graph.made(dense)
        integers = dense.integers(read, written)
        outputs, out = len(dense.bias), integers.out
        count = blocks(outputs, MAX_BLOCK // 2 if small else MAX_BLOCK)
        table = None if function is None else np.asarray(function.integers([written], graph.made(function)).table)  # type: ignore[attr-defined]
        made.append(
            CLayer(
                weights=dense.weights.T,
                bias=dense.bias,
                multiplier=np.asarray(out.multiplier),
                shift=np.asarray(out.shift),
                table=table,
                input_zero=read[0].q.zero_point,
                output_zero=written.q.zero_point,
                low=int(out.low),
                high=int(out.high),
                kernel=Kernel(-(-outputs // count), epilogue, len(dense.scales) > 1),
            )
        )
    return [_unrolled(layer, made, small) for layer in made]


def runs(layers: list[CLayer]) -> Iterator[tuple[int, int]]:
    """(first, one behind the last) of the layers that follow each other with one kernel."""
    start = 0
    for _, run in itertools.groupby(layers, key=lambda layer: layer.kernel):
        end = start + len(list(run))
        yield start, end
        start = end


def address(layers: list[CLayer], index: int) -> str:
    """Where the C has the `struct layer` of a layer: on its own, or in the array of its run."""
    start, end = next((start, end) for start, end in runs(layers) if start <= index < end)
    return f"&layer_{index}" if end == start + 1 else f"&layers_{start}[{index - start}]"


def _hidden(has_table: bool) -> str:
    return "table" if has_table else "relu"


def _unrolled(layer: CLayer, layers: list[CLayer], small: bool) -> CLayer:
    kind = layer.kernel
    inputs = [len(other.weights) for other in layers if other.kernel == kind]
    choices = (2, 1) if small else (4, 2, 1)
    unroll = next(n for n in choices if all(count % n == 0 for count in inputs))
    return dataclasses.replace(layer, kernel=dataclasses.replace(kind, unroll=unroll))
