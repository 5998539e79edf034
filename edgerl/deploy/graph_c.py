"""C99 of an int8 network in parts: integers only, one static arena, weights in flash."""

from collections.abc import Iterator, Mapping, Sequence

from edgerl import __version__
from edgerl.deploy import c_functions, c_kernels, c_text
from edgerl.deploy.graph import Graph
from edgerl.deploy.ops import Conv, Dense
from edgerl.deploy.ops.operation import Placed

_ALIGNMENT = 16


def generate(graph: Graph, ends: Sequence[int], names: Sequence[str], words: Mapping[str, str]) -> dict[str, str]:
    """File name → text of `NAME_network.h` and `NAME_network.c`.

    Args:
      graph: int8.
      ends: after how many operations each part ends.
      names: of the parts.
      words: of `edgerl.deploy.names`.
    """
    offsets, arena = plan(graph, ends)
    operators = {operation.STRUCT: operation.C for operation in graph.operations}
    values = {**words, "title": "An int8 network in parts", "version": __version__}
    header = values | {
        "part_rows": "\n".join(f" *   {i} {name}: {_shapes(part)}" for i, (name, part) in _parts(graph, ends, names)),
        "parts": len(ends),
        "output_sizes": c_text.braced(part.tensors[part.output].size for part in graph.parts(tuple(ends))),
        "input_size": graph.tensors[graph.input].size,
        "arena": arena,
    }
    source = values | {
        "dense": c_text.declarations(None),
        "kernels": _kernels(graph, "".join(operators.values())),
        "operators": "\n\n".join(operators.values()),
        "constants": "\n\n".join(_constants(graph, offsets)),
        "input": offsets[graph.input],
        "cases": "\n".join(_cases(graph, ends, offsets)),
    }
    return {
        f"{words['p']}_network.h": c_text.template("network.h.in", header),
        f"{words['p']}_network.c": c_text.template("network.c.in", source),
    }


def plan(graph: Graph, ends: Sequence[int]) -> tuple[dict[int, int], int]:
    """(offset of each tensor in the arena, the arena's bytes): each takes the first gap that is free while it lives.

    A tensor lives from the operation that writes it to the last one that reads it; a part's output until the part
    after has run, so that the caller can read it meanwhile.
    """
    born, dead, taken = {graph.input: -1}, {graph.input: 0}, {graph.input: _aligned(graph.tensors[graph.input].size)}
    for i, operation in enumerate(graph.operations):
        dead |= dict.fromkeys(operation.sources, i)
        born[operation.target], dead[operation.target] = i, i
        taken[operation.target] = _aligned(graph.tensors[operation.target].size + operation.spare())
    for last, after in zip(ends, [*ends[1:], ends[-1]], strict=True):
        output = graph.operations[last - 1].target
        dead[output] = max(dead[output], after - 1)
    offsets: dict[int, int] = {}
    for tensor in sorted(born, key=lambda t: born[t]):
        busy = sorted(
            (offsets[other], offsets[other] + taken[other])
            for other in offsets
            if born[other] <= dead[tensor] and born[tensor] <= dead[other]
        )
        place = 0
        for start, stop in busy:
            if start - place >= taken[tensor]:
                break
            place = max(place, stop)
        offsets[tensor] = place
    return offsets, max(offset + taken[tensor] for tensor, offset in offsets.items())


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _parts(graph: Graph, ends: Sequence[int], names: Sequence[str]) -> Iterator[tuple[int, tuple[str, Graph]]]:
    return enumerate(zip(names, graph.parts(tuple(ends)), strict=True))


def _shapes(part: Graph) -> str:
    source, target = ("x".join(map(str, part.tensors[i].shape)) for i in (part.input, part.output))
    return f"{source} -> {target}, {part.macs()} multiply-accumulates"


def _kernels(graph: Graph, code: str) -> str:
    """What the operators' code and the inner loops call, and those loops."""
    layers = [operation for operation in graph.operations if isinstance(operation, Conv | Dense)]
    loops = [c_kernels.source(kernel, "") for kernel in dict.fromkeys(layer.kernel() for layer in layers)]
    return "\n\n".join([*c_functions.called("\n".join([*loops, code])), *loops])


def _constants(graph: Graph, offsets: dict[int, int]) -> Iterator[str]:
    for i, operation in enumerate(graph.operations):
        read = [Placed(graph.tensors[source], offsets[source]) for source in operation.sources]
        yield from operation.constants(i, read, Placed(graph.made(operation), offsets[operation.target]))


def _cases(graph: Graph, ends: Sequence[int], offsets: dict[int, int]) -> Iterator[str]:
    start = 0
    for part, end in enumerate(ends):
        yield f"    case {part}:"
        for i, operation in enumerate(graph.operations[start:end], start):
            yield f"        {operation.STRUCT}(&{operation.STRUCT}_{i});"
        yield f"        return arena + {offsets[graph.operations[end - 1].target]};"
        start = end
