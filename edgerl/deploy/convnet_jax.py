"""A convolutional network in JAX: in float32, to calibrate it, and in the device's integers."""

import functools
from collections.abc import Iterable
from typing import Any, assert_never

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.deploy import integer_conv
from edgerl.deploy.convnet import Add, Conv, ConvNet, Mean, Operation
from edgerl.deploy.integer_conv import Output, Summand
from edgerl.deploy.network import LayerActivation

Constants = tuple[Output, *tuple[Summand, ...]]


def constants(network: ConvNet, operation: Operation) -> Constants:
    """The fixed-point numbers of an operation: its output's and, of an addition, both sides'."""
    source, target = network.tensors[operation.sources[0]], network.tensors[operation.target].scale
    if isinstance(operation, Conv):
        assert operation.weight_scales is not None  # of an int8 network
        scales = np.float64(source.scale.scale) * operation.weight_scales.astype(np.float64)
        return (integer_conv.output(scales, target, "relu" if operation.relu else "none"),)
    if isinstance(operation, Add):
        second = network.tensors[operation.sources[1]].scale
        activation: LayerActivation = "relu" if operation.relu else "none"
        first_side, second_side, out = integer_conv.summands(source.scale, second, target, activation)
        return out, first_side, second_side
    if isinstance(operation, Mean):
        return (integer_conv.mean_output(source.scale, target, source.shape[0] * source.shape[1]),)
    assert_never(operation)


def outputs(network: ConvNet, x: chex.Array) -> chex.Array:
    """int8 [B, H', W', C'] of an int8 network on int8 x [B, H, W, C], bit for bit as TFLM and the generated C."""
    values: dict[int, Any] = {network.input: x}
    for operation in network.operations:
        out, *sides = constants(network, operation)
        read = [values[source] for source in operation.sources]
        zero = jnp.int32(network.tensors[operation.sources[0]].scale.zero_point)
        if isinstance(operation, Conv):
            value = integer_conv.conv(read[0], operation.weights, operation.bias, zero, out, operation.stride)
        elif isinstance(operation, Add):
            value = integer_conv.add(*read, *sides, out)
        elif isinstance(operation, Mean):
            value = integer_conv.mean(read[0], zero, out)
        else:
            assert_never(operation)
        values[operation.target] = value
    return values[network.output]


def float_values(network: ConvNet, x: chex.Array) -> list[chex.Array]:
    """Every tensor of a float network on float32 x [B, H, W, C]."""
    values: dict[int, Any] = {network.input: x}
    for operation in network.operations:
        read = [values[source] for source in operation.sources]
        if isinstance(operation, Conv):
            value = _conv(read[0], operation.weights, operation.bias, operation.stride)
        elif isinstance(operation, Add):
            value = read[0] + read[1]
        elif isinstance(operation, Mean):
            value = read[0].mean((1, 2), keepdims=True)
        else:
            assert_never(operation)
        relu = not isinstance(operation, Mean) and operation.relu
        values[operation.target] = jax.nn.relu(value) if relu else value
    return [values[i] for i in range(len(network.tensors))]


@functools.partial(jax.jit, static_argnums=3)
def _conv(x: chex.Array, weights: chex.Array, bias: chex.Array, stride: int) -> chex.Array:
    layout = ("NHWC", "OHWI", "NHWC")
    return jax.lax.conv_general_dilated(x, weights, (stride, stride), "SAME", dimension_numbers=layout) + bias


def ranges(network: ConvNet, batches: Iterable[chex.Array]) -> np.ndarray:
    """float64 [tensors, 2]: the lowest and highest value of each tensor over batches of inputs."""
    low, high = np.zeros(len(network.tensors)), np.zeros(len(network.tensors))
    for batch in batches:
        values = float_values(network, batch)
        low = np.minimum(low, [float(value.min()) for value in values])
        high = np.maximum(high, [float(value.max()) for value in values])
    return np.stack([low, high], axis=1)
