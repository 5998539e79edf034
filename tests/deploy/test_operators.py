"""Convolutional arithmetic in JAX, bit for bit what TFLM's interpreter computes, on random layers."""

import numpy as np
import pytest

from edgerl.deploy import tflite_file, tflm
from edgerl.deploy.graph import Builder
from edgerl.deploy.ops import Add, Conv, Mean
from edgerl.deploy.tensor import Quantisation

FUSED = ("none", "relu", "relu6")
IMAGES = 40
# Side lengths, input channels, window, stride.
SHAPES = [
    ((7, 5), 3, (3, 3), 1),
    ((8, 9), 4, (3, 3), 2),
    ((5, 5), 2, (2, 4), 2),
    ((2, 2), 9, (1, 1), 1),
    ((6, 7), 5, (1, 1), 2),
    ((4, 4), 70, (3, 3), 1),  # more products than one float32 sum holds
]


def random_quantisation(rng):
    return Quantisation(np.float32(2.0 ** rng.uniform(-9, -1)), int(rng.integers(-128, 41)))


def random_images(rng, shape):
    images = rng.integers(-128, 128, (IMAGES, *shape))
    images[0], images[1], images[2] = -128, 127, rng.choice([-128, 127], shape)
    return images.astype(np.int8)


def agrees(builder, images):
    """Whether JAX and TFLM have the same outputs, of which there are some."""
    graph = builder.graph()
    made = np.asarray(graph.program()(images))
    np.testing.assert_array_equal(made, tflm.run(tflite_file.write(graph), images)[0])
    assert len(np.unique(made)) > 10


def scaled_weights(rng, shape, channels, source, target):
    """Weights, biases and their scales with which the output uses its int8 range and saturates now and then."""
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    spread = 75 * 127 * np.sqrt(weights.size / channels) / 1.7
    scales = (target.scale / source.scale * 60 / spread * 2.0 ** rng.uniform(-2, 2, channels)).astype(np.float32)
    bias = rng.normal(0, spread, channels).astype(np.int32)
    return {"weights": weights, "bias": bias, "weight_scales": scales}


@pytest.mark.parametrize(("sides", "channels", "window", "stride"), SHAPES)
def test_convolutions(sides, channels, window, stride):
    rng = np.random.default_rng([stride, *sides, channels])
    source, target, activation = random_quantisation(rng), random_quantisation(rng), str(rng.choice(FUSED))
    outputs = int(rng.integers(1, 8))
    fields = scaled_weights(rng, (outputs, *window, channels), outputs, source, target)
    builder = Builder((*sides, channels), source)
    builder.add(Conv, 0, quantisation=target, stride=stride, activation=activation, **fields)
    agrees(builder, random_images(rng, (*sides, channels)))


@pytest.mark.parametrize("sides", [(1, 1), (4, 4), (3, 5), (7, 6)])
def test_mean(sides):
    rng = np.random.default_rng(sides)
    source, target = random_quantisation(rng), random_quantisation(rng)
    target = Quantisation(np.float32(source.scale * rng.uniform(0.2, 1.5)), target.zero_point)
    builder = Builder((*sides, 11), source)
    builder.add(Mean, 0, quantisation=target)
    agrees(builder, random_images(rng, (*sides, 11)))


@pytest.mark.parametrize("seed", range(6))
def test_residual_addition(seed):
    """The input plus a 1x1 convolution of it that has a scale of its own."""
    rng = np.random.default_rng(seed)
    source, middle = random_quantisation(rng), random_quantisation(rng)
    target = Quantisation(np.float32((source.scale + middle.scale) * rng.uniform(0.5, 1.5)), int(rng.integers(-128, 9)))
    builder = Builder((6, 7, 5), source)
    between = builder.add(Conv, 0, quantisation=middle, **scaled_weights(rng, (5, 1, 1, 5), 5, source, middle))
    builder.add(Add, between, 0, quantisation=target, activation=FUSED[seed % 3])
    agrees(builder, random_images(rng, (6, 7, 5)))
