"""Convolutional arithmetic in JAX, bit for bit what TFLM's interpreter computes, on random layers."""

import jax.numpy as jnp
import numpy as np
import pytest

from edgerl.deploy import integer_conv, tflm
from edgerl.deploy.flatbuffer_writer import Writer
from edgerl.deploy.network import Quantisation

FUSED = {"none": 0, "relu": 1, "relu6": 3}
CONV, ADD, MEAN = (3, 3), (0, 2), (40, 2)
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


def on_tflm(writer, source, made, images):
    return tflm.run(writer.finish(source, made), images)[0]


def scaled_weights(rng, shape, channels, source, target):
    """Weights, bias and scales with which the output uses its int8 range and saturates now and then."""
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    spread = 75 * 127 * np.sqrt(weights.size / channels) / 1.7
    scales = (target.scale / source.scale * 60 / spread * 2.0 ** rng.uniform(-2, 2, channels)).astype(np.float32)
    return weights, rng.normal(0, spread, channels).astype(np.int32), scales


@pytest.mark.parametrize(("sides", "channels", "window", "stride"), SHAPES)
def test_convolutions(sides, channels, window, stride):
    rng = np.random.default_rng([stride, *sides, channels])
    source, target, activation = random_quantisation(rng), random_quantisation(rng), str(rng.choice(list(FUSED)))
    outputs = int(rng.integers(1, 8))
    shape = (outputs, *window, channels)
    weights, bias, scales = scaled_weights(rng, shape, outputs, source, target)
    images = random_images(rng, (*sides, channels))
    out = integer_conv.output(np.float64(source.scale) * scales, target, activation)
    made = np.asarray(integer_conv.conv(images, weights, bias, jnp.int32(source.zero_point), out, stride))

    writer = Writer()
    first = writer.activation((1, *images.shape[1:]), source)
    read = [
        first,
        writer.constant(weights, scales),
        writer.constant(bias, source.scale * scales),
    ]
    last = writer.activation((1, *made.shape[1:]), target)
    options = {"StrideH": stride, "StrideW": stride, "FusedActivationFunction": FUSED[activation]}
    writer.operator(CONV, read, last, ("Conv2DOptions", writer.table("Conv2DOptions", **options)))
    np.testing.assert_array_equal(made, on_tflm(writer, first, last, images))
    assert len(np.unique(made)) > 10


@pytest.mark.parametrize("sides", [(1, 1), (4, 4), (3, 5), (7, 6)])
def test_mean(sides):
    rng = np.random.default_rng(sides)
    source, target = random_quantisation(rng), random_quantisation(rng)
    target = Quantisation(np.float32(source.scale * rng.uniform(0.2, 1.5)), target.zero_point)
    images = random_images(rng, (*sides, 11))
    out = integer_conv.mean_output(source, target, sides[0] * sides[1])
    made = np.asarray(integer_conv.mean(images, jnp.int32(source.zero_point), out))
    writer = Writer()
    first, last = writer.activation((1, *sides, 11), source), writer.activation((1, 1, 1, 11), target)
    axes = writer.constant(np.array([1, 2], np.int32))
    table = writer.table("ReducerOptions", KeepDims=True)
    writer.operator(MEAN, [first, axes], last, ("ReducerOptions", table))
    np.testing.assert_array_equal(made, on_tflm(writer, first, last, images))


@pytest.mark.parametrize("seed", range(6))
def test_residual_addition(seed):
    """The input plus a 1x1 convolution of it that has a scale of its own."""
    rng = np.random.default_rng(seed)
    source, middle = random_quantisation(rng), random_quantisation(rng)
    target = Quantisation(np.float32((source.scale + middle.scale) * rng.uniform(0.5, 1.5)), int(rng.integers(-128, 9)))
    activation = list(FUSED)[seed % 3]
    weights, bias, scales = scaled_weights(rng, (5, 1, 1, 5), 5, source, middle)
    images = random_images(rng, (6, 7, 5))
    out = integer_conv.output(np.float64(source.scale) * scales, middle)
    other = integer_conv.conv(images, weights, bias, jnp.int32(source.zero_point), out, 1)
    made = np.asarray(integer_conv.add(other, images, *integer_conv.summands(middle, source, target, activation)))

    writer = Writer()
    first = writer.activation((1, 6, 7, 5), source)
    read = [first, writer.constant(weights, scales), writer.constant(bias, source.scale * scales)]
    table = writer.table("Conv2DOptions", StrideH=1, StrideW=1)
    between = writer.operator(CONV, read, writer.activation((1, 6, 7, 5), middle), ("Conv2DOptions", table))
    table = writer.table("AddOptions", FusedActivationFunction=FUSED[activation])
    last = writer.operator(ADD, [between, first], writer.activation((1, 6, 7, 5), target), ("AddOptions", table))
    np.testing.assert_array_equal(made, on_tflm(writer, first, last, images))
    assert len(np.unique(made)) > 10
