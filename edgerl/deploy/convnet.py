"""A convolutional network as a list of operations on tensors, in float32 or, once quantised, in int8. NumPy only.

Enough for residual networks: convolution ("SAME" padding), addition, mean over all places. A dense layer is a 1x1
convolution of one place.
"""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from edgerl.deploy import integer
from edgerl.deploy.network import Quantisation
from edgerl.util.errors import UserError

_LARGEST_BIAS = 2**26  # of an int32 bias, so that it leaves the accumulator its room


@dataclasses.dataclass(frozen=True)
class Tensor:
    """What an operation reads or writes: shape (height, width, channels), and its scale in an int8 network."""

    shape: tuple[int, int, int]
    quantisation: Quantisation | None = None

    @property
    def scale(self) -> Quantisation:
        """The quantisation of a tensor that has one."""
        assert self.quantisation is not None  # only a float network's tensors have none
        return self.quantisation


@dataclasses.dataclass(frozen=True)
class Conv:
    """Convolution, then ReLU if asked.

    Attributes:
      source, target: tensors' indices.
      weights: float32 or int8 [out, h, w, in], TFLite's order.
      bias: float32, or int32 in units of the input's scale times the weights' scale; [out].
      weight_scales: float32 [out]; None in a float network.
    """

    source: int
    target: int
    weights: np.ndarray
    bias: np.ndarray
    stride: int
    relu: bool
    weight_scales: np.ndarray | None = None

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.source,)


@dataclasses.dataclass(frozen=True)
class Add:
    """The sum of two tensors of one shape, then ReLU if asked."""

    sources: tuple[int, int]
    target: int
    relu: bool


@dataclasses.dataclass(frozen=True)
class Mean:
    """The mean over all places, of shape (1, 1, channels)."""

    source: int
    target: int

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.source,)


Operation = Conv | Add | Mean


@dataclasses.dataclass(frozen=True)
class ConvNet:
    """Tensors and the operations on them, in order; the first one's source is the input, the last one's target the
    output."""

    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]

    @property
    def input(self) -> int:
        return self.operations[0].sources[0]

    @property
    def output(self) -> int:
        return self.operations[-1].target

    def parts(self, ends: tuple[int, ...]) -> list["ConvNet"]:
        """The networks between operations' numbers `ends`; the first one starts at operation 0."""
        bounds = itertools.pairwise((0, *ends))
        return [dataclasses.replace(self, operations=self.operations[a:b]) for a, b in bounds]

    def macs(self) -> int:
        """Multiply-accumulates of one input."""
        convs = [operation for operation in self.operations if isinstance(operation, Conv)]
        return sum(c.weights.size * int(np.prod(self.tensors[c.target].shape[:2])) for c in convs)


class Builder:
    """Collects a float network; each method adds an operation and returns its target's index."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.tensors = [Tensor(shape)]
        self.operations: list[Operation] = []

    def conv(self, source: int, weights: np.ndarray, bias: np.ndarray, stride: int = 1, relu: bool = False) -> int:
        height, width, _ = self.tensors[source].shape
        target = self._tensor((-(-height // stride), -(-width // stride), len(bias)))
        self.operations.append(Conv(source, target, weights, bias, stride, relu))
        return target

    def add(self, first: int, second: int, relu: bool = False) -> int:
        target = self._tensor(self.tensors[first].shape)
        self.operations.append(Add((first, second), target, relu))
        return target

    def mean(self, source: int) -> int:
        target = self._tensor((1, 1, self.tensors[source].shape[2]))
        self.operations.append(Mean(source, target))
        return target

    def network(self) -> ConvNet:
        return ConvNet(tuple(self.tensors), tuple(self.operations))

    def _tensor(self, shape: tuple[int, int, int]) -> int:
        self.tensors.append(Tensor(shape))
        return len(self.tensors) - 1


def quantise(network: ConvNet, ranges: np.ndarray) -> ConvNet:
    """The int8 network of a float one: weights per output channel, activations per tensor.

    Args:
      ranges: float [tensors, 2], the lowest and highest value of each tensor.
    Raises:
      UserError: accumulators could leave the range in which every implementation agrees.
    """
    tensors = tuple(
        dataclasses.replace(tensor, quantisation=affine(low, high))
        for tensor, (low, high) in zip(network.tensors, ranges.tolist(), strict=True)
    )
    return ConvNet(tensors, tuple(_quantised(network.operations, tensors)))


def affine(low: float, high: float) -> Quantisation:
    """The scale and zero point whose int8 values span [low, high], widened to hold 0 exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255 or 1 / 128)
    return Quantisation(scale, int(np.clip(round(-128 - low / float(scale)), -128, 127)))


def _quantised(operations: tuple[Operation, ...], tensors: tuple[Tensor, ...]) -> Iterator[Operation]:
    for operation in operations:
        if not isinstance(operation, Conv):
            yield operation
            continue
        source = tensors[operation.source].scale
        scale = float(source.scale)
        largest = np.abs(operation.weights).reshape(len(operation.bias), -1).max(axis=1).astype(np.float64)
        # A channel with next to no weights has a bias only, which must stay in range.
        scales = np.maximum(largest / 127, np.abs(operation.bias) / (scale * _LARGEST_BIAS))
        scales = np.where(scales > 0, scales, 1.0).astype(np.float32)
        weights = np.rint(operation.weights / scales[:, None, None, None]).astype(np.int8)
        bias = np.rint(operation.bias / (scale * scales.astype(np.float64))).astype(np.int32)
        bound = int(integer.largest_accumulators(weights, bias, source.zero_point).max())
        if bound >= integer.ACCUMULATOR_LIMIT:
            raise UserError(f"a convolution of {weights.shape} can reach an accumulator of {bound}, over 2^29")
        yield dataclasses.replace(operation, weights=weights, bias=bias, weight_scales=scales)
