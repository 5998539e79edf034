"""Residual networks for CIFAR with an exit after every stage: ResNet-18, or ResNet-8 as MLPerf Tiny has it.

Width 64 is He et al. (2016), "Deep Residual Learning for Image Recognition", with a 3x3 stem of stride 1 and no
max-pool; width 16 fits a microcontroller. Three stages of one block and of width 16 are the ResNet-8 of Banbury et al.
(2021), "MLPerf Tiny Benchmark". An early stage's features are fine and not yet class-like, so an exit that only pools
them is weak: as in Zhang et al. (2019), "Be Your Own Teacher", each early head first brings them down to the last
stage's resolution, or below it, by strided convolutions.
"""

import dataclasses
import functools
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.cifar import LAYOUTS
from edgerl.tasks.early_exit.trunk.data import normalise
from edgerl.tasks.hardware.cost import count_macs
from edgerl.util.config import field


@dataclasses.dataclass(frozen=True)
class TrunkConfig:
    """The network's shape and its images. Stage i has `width * 2**i` channels at `32 / 2**i` pixels a side."""

    width: int = field(16, "channels of the first stage; 64 is the published ResNet-18", low=1)
    classes: int = field(100, "classes", low=2)
    head_width: int = field(6, "features an early exit's classifier sees, in multiples of width", low=1)
    stages: int = field(4, "stages, each with an exit", low=2, high=6)
    blocks: int = field(2, "residual blocks a stage", low=1)
    head_stride: int = field(2, "of the first convolution in an early exit's head; 4 takes a quarter", low=1, high=8)
    dataset: str = field("cifar100", "images", choices=tuple(LAYOUTS))


class ConvNorm(nn.Module):
    """Convolution without bias, then batch normalisation."""

    channels: int
    kernel: int = 3
    stride: int = 1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> chex.Array:
        x = nn.Conv(
            self.channels,
            (self.kernel, self.kernel),
            self.stride,
            use_bias=False,
            dtype=self.dtype,
            kernel_init=nn.initializers.he_normal(),
        )(x)
        return nn.BatchNorm(use_running_average=not train, momentum=0.9, dtype=self.dtype)(x)


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes."""

    channels: int
    stride: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> chex.Array:
        y = nn.relu(ConvNorm(self.channels, 3, self.stride, self.dtype)(x, train))
        y = ConvNorm(self.channels, 3, 1, self.dtype)(y, train)
        if x.shape != y.shape:
            x = ConvNorm(self.channels, 1, self.stride, self.dtype)(x, train)
        return nn.relu(x + y)


class Stage(nn.Module):
    """Residual blocks; the first stage begins with the stem, the others halve the resolution."""

    channels: int
    blocks: int
    first: bool
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> chex.Array:
        if self.first:
            x = nn.relu(ConvNorm(self.channels, dtype=self.dtype)(x, train))
        for i in range(self.blocks):
            x = Block(self.channels, 1 if self.first or i else 2, self.dtype)(x, train)
        return x


class Head(nn.Module):
    """3x3 convolutions, all but the first of stride 2, average pooling and a linear classifier."""

    channels: tuple[int, ...]
    stride: int
    classes: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: chex.Array, train: bool) -> chex.Array:
        for i, channels in enumerate(self.channels):
            x = nn.relu(ConvNorm(channels, 3, 2 if i else self.stride, self.dtype)(x, train))
        pooled = x.mean((1, 2), dtype=jnp.float32)
        return nn.Dense(self.classes)(pooled)


class Trunk(nn.Module):
    """All stages and heads. Methods run one stage or one head, so that a device can stop in between."""

    config: TrunkConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        config, dtype, exits = self.config, self.dtype, range(self.config.stages)
        self.stages = [Stage(config.width * 2**i, config.blocks, i == 0, dtype) for i in exits]
        self.heads = [Head(head_channels(config, i), config.head_stride, config.classes, dtype) for i in exits]

    def stage(self, index: int, x: chex.Array, train: bool = False) -> chex.Array:
        """Features [B, S, S, width * 2**index] from the previous stage's, or from images where `index` is 0."""
        return self.stages[index](x, train)

    def head(self, index: int, features: chex.Array, train: bool = False) -> chex.Array:
        """Logits float32 [B, classes] of exit `index` from the features of that stage."""
        return self.heads[index](features, train)

    def __call__(self, x: chex.Array, train: bool = False) -> chex.Array:
        """Logits float32 [B, K, classes] of all exits from normalised images [B, S, S, 3]."""
        logits = []
        for i in range(self.config.stages):
            x = self.stage(i, x, train)
            logits.append(self.head(i, x, train))
        return jnp.stack(logits, axis=1)


def head_channels(config: TrunkConfig, index: int) -> tuple[int, ...]:
    """Channels of the convolutions in exit `index`'s head: doubled at each, `head_width` at the last one."""
    doubled = [config.width * 2**i for i in range(index + 1, config.stages)]
    return (*doubled[:-1], config.head_width * config.width) if doubled else ()


def predict(network: Trunk, variables: Any, images: np.ndarray, batch: int = 500) -> np.ndarray:
    """Logits float32 [N, K, C] of uint8 images [N, S, S, 3], with the running statistics of batch normalisation."""
    variables = jax.device_put(variables, jax.devices()[0])
    parts = [np.asarray(_logits(network, variables, images[i : i + batch])) for i in range(0, len(images), batch)]
    return np.concatenate(parts)


@functools.partial(jax.jit, static_argnums=0)
def _logits(network: Trunk, variables: Any, images: chex.Array) -> chex.Array:
    return network.apply(variables, normalise(images))


def exit_macs(config: TrunkConfig, side: int = 32) -> np.ndarray:
    """Multiply-accumulates until each exit answers, int [K], for one image [side, side, 3].

    Counted from the network: the stem, the stages so far and every head so far, since a policy that reached exit k has
    looked at the answers before it.
    """
    network = Trunk(config)
    x = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), x)
    costs = []
    for i in range(config.stages):
        stage = functools.partial(network.apply, method=lambda trunk, x, i=i: trunk.stage(i, x))
        head = functools.partial(network.apply, method=lambda trunk, x, i=i: trunk.head(i, x))
        features = jax.eval_shape(stage, variables, x)
        costs.append(count_macs(stage, variables, x) + count_macs(head, variables, features))
        x = features
    return np.cumsum(costs)
