"""The `.tflite` of an int8 convolutional network, without TensorFlow."""

from typing import assert_never

import numpy as np

from edgerl.deploy.convnet import Add, Conv, ConvNet, Mean
from edgerl.deploy.flatbuffer_writer import Writer

# Kinds (BuiltinOperator) and the versions for int8.
_CONV, _ADD, _MEAN = (3, 3), (0, 2), (40, 2)


def write(network: ConvNet) -> bytes:
    """One input [1, H, W, C], one output; operators CONV_2D, ADD and MEAN."""
    writer = Writer()

    def activation(index: int) -> int:
        tensor = network.tensors[index]
        return writer.activation((1, *tensor.shape), tensor.scale)

    made = {network.input: activation(network.input)}
    axes = None
    for operation in network.operations:
        target = made[operation.target] = activation(operation.target)
        read = [made[source] for source in operation.sources]
        if isinstance(operation, Conv):
            assert operation.weight_scales is not None  # of an int8 network
            scale = network.tensors[operation.source].scale.scale
            weights = writer.constant(operation.weights, operation.weight_scales)
            bias = writer.constant(operation.bias, scale * operation.weight_scales)
            table = writer.table(
                "Conv2DOptions",
                StrideH=operation.stride,
                StrideW=operation.stride,
                FusedActivationFunction=int(operation.relu),
            )
            writer.operator(_CONV, [*read, weights, bias], target, ("Conv2DOptions", table))
        elif isinstance(operation, Add):
            table = writer.table("AddOptions", FusedActivationFunction=int(operation.relu))
            writer.operator(_ADD, read, target, ("AddOptions", table))
        elif isinstance(operation, Mean):
            axes = writer.constant(np.array([1, 2], np.int32)) if axes is None else axes
            table = writer.table("ReducerOptions", KeepDims=True)
            writer.operator(_MEAN, [*read, axes], target, ("ReducerOptions", table))
        else:
            assert_never(operation)
    return writer.finish(made[network.input], made[network.output])
