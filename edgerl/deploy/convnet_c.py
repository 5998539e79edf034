"""C99 of an int8 convolutional network: integers only, one static arena, the inner loops of `c_kernels`.

A convolution gathers the inputs around each place and is a dense layer from there on. Weights stay in flash.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, assert_never

import numpy as np

from edgerl import __version__
from edgerl.deploy import c_kernels, c_text, convnet_jax
from edgerl.deploy.c_kernels import MAX_BLOCK, Kernel
from edgerl.deploy.convnet import Add, Conv, ConvNet, Mean, Tensor

_ALIGNMENT = 16


def generate(network: ConvNet, ends: Sequence[int], names: Sequence[str]) -> dict[str, str]:
    """File name → text of `network.h` and `network.c`.

    Args:
      network: int8.
      ends: after how many operations each part ends.
      names: of the parts.
    """
    offsets, arena = plan(network, ends)
    convs = [operation for operation in network.operations if isinstance(operation, Conv)]
    kernels = list(dict.fromkeys(_kernel(conv) for conv in convs))
    values = {"title": "An int8 network in parts", "version": __version__}
    header = values | {
        "part_rows": "\n".join(f" *   {i} {name}: {_shapes(part)}" for i, (name, part) in _parts(network, ends, names)),
        "parts": len(ends),
        "output_sizes": _braced([math.prod(part.tensors[part.output].shape) for part in network.parts(tuple(ends))]),
        "input_size": math.prod(network.tensors[network.input].shape),
        "arena": arena,
    }
    source = values | {
        "dense": c_text.declarations(None),
        "window": max(conv.weights[0].size for conv in convs),
        "outputs": max(_blocks(conv) * _kernel(conv).width for conv in convs),
        "kernels": "\n\n".join([*c_kernels.helpers(kernels), *(c_kernels.source(kernel, "") for kernel in kernels)]),
        "constants": "\n\n".join(_constants(network, offsets)),
        "input": offsets[network.input],
        "cases": "\n".join(_cases(network, ends, offsets)),
    }
    return {
        "network.h": c_text.template("network.h.in", header),
        "network.c": c_text.template("network.c.in", source),
    }


def plan(network: ConvNet, ends: Sequence[int]) -> tuple[dict[int, int], int]:
    """(offset of each tensor in the arena, the arena's bytes): each takes the first gap that is free while it lives.

    A tensor lives from the operation that writes it to the last one that reads it; a part's output until the part
    after has run, so that the caller can read it meanwhile.
    """
    born, dead = {network.input: -1}, {network.input: 0}
    for i, operation in enumerate(network.operations):
        dead |= dict.fromkeys(operation.sources, i)
        born[operation.target], dead[operation.target] = i, i
    for last, after in zip(ends, [*ends[1:], ends[-1]], strict=True):
        output = network.operations[last - 1].target
        dead[output] = max(dead[output], after - 1)
    offsets: dict[int, int] = {}
    for tensor in sorted(born, key=lambda t: born[t]):
        busy = sorted(
            (offsets[other], offsets[other] + _bytes(network.tensors[other]))
            for other in offsets
            if born[other] <= dead[tensor] and born[tensor] <= dead[other]
        )
        place = 0
        for start, stop in busy:
            if start - place >= _bytes(network.tensors[tensor]):
                break
            place = max(place, stop)
        offsets[tensor] = place
    return offsets, max(offset + _bytes(network.tensors[tensor]) for tensor, offset in offsets.items())


def _bytes(tensor: Tensor) -> int:
    return -(-math.prod(tensor.shape) // _ALIGNMENT) * _ALIGNMENT


def _parts(network: ConvNet, ends: Sequence[int], names: Sequence[str]) -> Iterator[tuple[int, tuple[str, ConvNet]]]:
    return enumerate(zip(names, network.parts(tuple(ends)), strict=True))


def _shapes(part: ConvNet) -> str:
    source, target = ("x".join(map(str, part.tensors[i].shape)) for i in (part.input, part.output))
    return f"{source} -> {target}, {part.macs()} multiply-accumulates"


def _blocks(conv: Conv) -> int:
    return -(-len(conv.bias) // MAX_BLOCK)


def _kernel(conv: Conv) -> Kernel:
    return Kernel(-(-len(conv.bias) // _blocks(conv)), "scores", per_channel=True)


def _constants(network: ConvNet, offsets: dict[int, int]) -> Iterator[str]:
    for i, operation in enumerate(network.operations):
        if isinstance(operation, Conv):
            yield from _conv_constants(network, operation, i, offsets)
        elif isinstance(operation, Add):
            yield _sum_constants(network, operation, i, offsets)
        elif isinstance(operation, Mean):
            yield _mean_constants(network, operation, i, offsets)
        else:
            assert_never(operation)


def _conv_constants(network: ConvNet, conv: Conv, index: int, offsets: dict[int, int]) -> Iterator[str]:
    source, target = network.tensors[conv.source], network.tensors[conv.target]
    out, kernel, blocks = convnet_jax.constants(network, conv)[0], _kernel(conv), _blocks(conv)
    weights, window = conv.weights.reshape(len(conv.bias), -1).T, conv.weights.shape[1:3]
    yield from c_text.dense(index, weights, conv.bias, kernel.width)
    yield c_text.scalings(index, out.multiplier, out.shift, blocks * kernel.width - len(conv.bias))
    names = [f"weights_{index}", f"bias_{index}", f"scaling_{index}"]
    layer = _braced([*names, weights.shape[0], blocks, int(out.zero), int(out.low), int(out.high)])
    sides = zip(source.shape[:2], target.shape[:2], window, strict=True)
    before = [_before(*side, conv.stride) for side in sides]
    geometry = [*source.shape, *target.shape, source.scale.zero_point, *window, conv.stride, *before]
    yield _struct("conv", index, [layer, offsets[conv.source], offsets[conv.target], *geometry, kernel.name])


def _sum_constants(network: ConvNet, add: Add, index: int, offsets: dict[int, int]) -> str:
    out, *sides = convnet_jax.constants(network, add)
    zeros = [network.tensors[source].scale.zero_point for source in add.sources]
    read = zip(add.sources, zeros, sides, strict=True)
    described = _braced([_braced([offsets[source], zero, _scaling(side)]) for source, zero, side in read])
    count = math.prod(network.tensors[add.target].shape)
    numbers = [offsets[add.target], count, int(out.zero), int(out.low)]
    return _struct("sum", index, [described, *numbers, _scaling(out)])


def _mean_constants(network: ConvNet, mean: Mean, index: int, offsets: dict[int, int]) -> str:
    source, out = network.tensors[mean.source], convnet_jax.constants(network, mean)[0]
    height, width, channels = source.shape
    numbers = [height * width, channels, source.scale.zero_point, int(out.zero)]
    return _struct("mean", index, [offsets[mean.source], offsets[mean.target], *numbers, _scaling(out)])


def _before(side: int, out: int, window: int, stride: int) -> int:
    """Rows or columns of "SAME" padding in front."""
    return max((out - 1) * stride + window - side, 0) // 2


def _scaling(constant: Any) -> str:
    return c_text.scaling(int(np.asarray(constant.multiplier)), int(np.asarray(constant.shift)))


def _struct(kind: str, index: int, fields: list[Any]) -> str:
    return f"static const struct {kind} {kind}_{index} = {_braced(fields)};"


def _braced(fields: list[Any]) -> str:
    return "{" + ", ".join(map(str, fields)) + "}"


def _cases(network: ConvNet, ends: Sequence[int], offsets: dict[int, int]) -> Iterator[str]:
    kinds = {Conv: "conv", Add: "sum", Mean: "mean"}
    start = 0
    for part, end in enumerate(ends):
        yield f"    case {part}:"
        for i in range(start, end):
            kind = kinds[type(network.operations[i])]
            yield f"        {kind}(&{kind}_{i});"
        yield f"        return arena + {offsets[network.operations[end - 1].target]};"
        start = end
