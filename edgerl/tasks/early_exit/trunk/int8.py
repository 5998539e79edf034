"""The early-exit trunk in the device's integers: batch normalisation folded in, int8 throughout, image to logits."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from edgerl.deploy import graph as networks
from edgerl.deploy.graph import Builder, Graph
from edgerl.deploy.ops import Add, Conv, Mean
from edgerl.deploy.tensor import Fused
from edgerl.tasks.early_exit.trunk.data import MEAN, STD, normalise
from edgerl.tasks.early_exit.trunk.model import TrunkConfig, head_channels

_EPSILON = 1e-5  # flax.linen.BatchNorm's default
_BATCH = 250  # images in memory at once
_SIDE = 32  # pixels of an image's side

Tree = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Int8Trunk:
    """The whole network: stage 0, head 0, stage 1, head 1, …

    Attributes:
      network: in int8.
      ends: after how many operations each part ends; int [2 K].
    """

    network: Graph
    ends: tuple[int, ...]

    @property
    def parts(self) -> list[Graph]:
        """Stage 0, head 0, stage 1, head 1, …: both read what the stage before them left."""
        return self.network.parts(self.ends)

    @property
    def pixels(self) -> np.ndarray:
        """int8 [3, 256]: what the network reads for each value of a red, green or blue pixel."""
        quantisation = self.network.tensors[0].q
        exact = (np.arange(256) / 255 - np.array(MEAN)[:, None]) / np.array(STD)[:, None]
        return np.clip(np.rint(exact / float(quantisation.scale)) + quantisation.zero_point, -128, 127).astype(np.int8)

    def inputs(self, images: np.ndarray) -> np.ndarray:
        """int8 [N, S, S, 3], what the network reads for uint8 images [N, S, S, 3]."""
        return self.pixels[np.arange(3), images]

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """Every part's output for uint8 images [N, S, S, 3]; int8 [N, H, W, C] each."""
        batches = [self._outputs(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH)]
        return [np.concatenate(outputs) for outputs in zip(*batches, strict=True)]

    def _outputs(self, images: np.ndarray) -> list[np.ndarray]:
        x, outputs = self.inputs(images), []
        for stage, head in zip(self.parts[0::2], self.parts[1::2], strict=True):
            x = np.asarray(stage.program()(x))
            outputs += [x, np.asarray(head.program()(x))]
        return outputs

    @staticmethod
    def answers(outputs: list[np.ndarray]) -> np.ndarray:
        """int8 [N, K, C]: the heads' outputs among all."""
        return np.stack([output[:, 0, 0] for output in outputs[1::2]], axis=1)

    def logits(self, answers: np.ndarray) -> np.ndarray:
        """float32 [N, K, C] of int8 answers: one multiplication, as on the device."""
        scales = [head.tensors[head.output].q for head in self.parts[1::2]]
        zero = np.array([scale.zero_point for scale in scales])[:, None]
        return (answers.astype(np.int32) - zero).astype(np.float32) * np.array([s.scale for s in scales])[:, None]


def quantise(config: TrunkConfig, variables: Any, images: np.ndarray) -> Int8Trunk:
    """The int8 trunk of a float one, calibrated on uint8 images [N, S, S, 3] that it was fitted on."""
    network, ends = fold(config, variables, images.shape[1])
    batches = (np.asarray(normalise(images[i : i + _BATCH])) for i in range(0, len(images), _BATCH))
    ranges = networks.ranges(network, batches)
    edges = (np.array([[0], [1]]) - np.array(MEAN)) / np.array(STD)
    ranges[0] = edges[0].min(), edges[1].max()
    return Int8Trunk(networks.quantise(network, ranges), ends)


def fold(config: TrunkConfig, variables: Any, side: int = _SIDE) -> tuple[Graph, tuple[int, ...]]:
    """The float trunk as a graph without batch normalisation, and after how many operations each part ends."""
    tree = jax.tree.map(np.asarray, variables)
    params, statistics = tree["params"], tree["batch_stats"]
    builder, ends, x = Builder((side, side, 3)), [], 0
    for i in range(config.stages):
        x = _stage(builder, x, i, config.blocks, params[f"stages_{i}"], statistics[f"stages_{i}"])
        ends.append(len(builder.operations))
        name = f"heads_{i}"
        strides = [2 if j else config.head_stride for j in range(len(head_channels(config, i)))]
        _head(builder, x, strides, params[name], statistics.get(name, {}))
        ends.append(len(builder.operations))
    return builder.graph(), tuple(ends)


def _stage(builder: Builder, x: int, index: int, blocks: int, params: Tree, statistics: Tree) -> int:
    if index == 0:
        x = _conv_norm(builder, x, params, statistics, 0, relu=True)
    for i in range(blocks):
        name = f"Block_{i}"
        x = _block(builder, x, 1 if index == 0 or i else 2, params[name], statistics[name])
    return x


def _block(builder: Builder, x: int, stride: int, params: Tree, statistics: Tree) -> int:
    y = _conv_norm(builder, x, params, statistics, 0, stride, relu=True)
    y = _conv_norm(builder, y, params, statistics, 1)
    if "ConvNorm_2" in params:
        x = _conv_norm(builder, x, params, statistics, 2, stride)
    return builder.add(Add, x, y, activation="relu")


def _head(builder: Builder, x: int, strides: list[int], params: Tree, statistics: Tree) -> None:
    for i, stride in enumerate(strides):
        x = _conv_norm(builder, x, params, statistics, i, stride, relu=True)
    kernel, bias = params["Dense_0"]["kernel"], params["Dense_0"]["bias"]
    builder.add(Conv, builder.add(Mean, x), weights=kernel.T[:, None, None, :], bias=bias)


def _conv_norm(
    builder: Builder, x: int, params: Tree, statistics: Tree, index: int, stride: int = 1, relu: bool = False
) -> int:
    """A convolution whose weights and bias are those that batch normalisation makes of it."""
    own, seen = params[f"ConvNorm_{index}"], statistics[f"ConvNorm_{index}"]["BatchNorm_0"]
    norm = own["BatchNorm_0"]
    gain = norm["scale"] / np.sqrt(seen["var"] + np.float32(_EPSILON))
    weights = own["Conv_0"]["kernel"].transpose(3, 0, 1, 2) * gain[:, None, None, None]
    activation: Fused = "relu" if relu else "none"
    bias = norm["bias"] - seen["mean"] * gain
    return builder.add(Conv, x, weights=weights, bias=bias, stride=stride, activation=activation)
