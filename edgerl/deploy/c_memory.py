"""Policies with memory in the generated C: the state, its words in templates, and one step of the recurrent unit."""

from collections.abc import Mapping
from typing import Any

from edgerl.deploy import c_layers, c_text, networks
from edgerl.deploy.c_layers import CLayer
from edgerl.deploy.int8_policy import Deployed
from edgerl.deploy.ops import Add, Multiply, Subtract
from edgerl.deploy.ops.output import Output
from edgerl.envs.gru import GATES


def words(policy: Deployed, names: Mapping[str, str]) -> dict[str, str]:
    """What templates say where a policy with memory has a state: empty where it has none.

    Returns:
      act: the name of the function that decides. state: its first parameter. pass, pass_own: the argument in
      functions that are given a state, and in those that have one. own: its definition. begin: its reset. memory: what
      the header says of it.
    """
    if not policy.units:
        return {"act": "act", **dict.fromkeys(("state", "pass", "pass_own", "own", "begin", "memory"), "")}
    p = names["p"]
    return {
        "act": "step",
        "state": f"{p}_state *state, ",
        "pass": "state, ",
        "pass_own": "&state, ",
        "own": f"    {p}_state state;\n",
        "begin": f"    {p}_reset(&state);\n",
        "memory": c_text.template("memory.h.in", {**names, "units": policy.units}),
    }


def source(policy: Deployed, layers: list[CLayer], names: Mapping[str, str]) -> str:
    """The functions of a step: from the input to scores and to the memory afterwards."""
    return c_text.template(
        "gru.c.in", {**names, "unit": _unit(policy), "inference": _inference(policy, layers, names)}
    ).rstrip("\n")


def _unit(policy: Deployed) -> str:
    """`struct unit`."""
    graph, found = policy.graph, {}
    for operation in graph.operations:
        if isinstance(operation, Add | Multiply):
            found[operation.target] = operation.integers(graph.read(operation), graph.made(operation))
    kinds: dict[type, list[Any]] = {Multiply: [], Subtract: [], Add: []}
    for operation in graph.operations:
        if type(operation) in kinds:
            kinds[type(operation)].append(found[operation.target])
    (kept, share), (difference,), (after,) = kinds.values()
    numbers = [kept.out, difference.out, share.out, after.first, after.second, after.out]
    scalings = [c_text.scaling(int(one.multiplier), int(one.shift)) for one in numbers]
    return c_text.braced([*scalings, *(_zero(one.out) for one in (difference, share))])


def _zero(out: Output) -> int:
    return int(out.zero)


def _inference(policy: Deployed, layers: list[CLayer], names: Mapping[str, str]) -> str:
    """The body of `NAME_infer`. `both` holds what the layers in front give, and after it the memory."""
    upper, count = names["P"], networks.front(policy.graph)
    front, behind = layers[:count], layers[count + GATES :]
    padded = [-(-len(layer.bias) // layer.kernel.width) * layer.kernel.width for layer in layers]
    seen = len(front[-1].bias) if front else policy.sizes[0]
    buffers = ["odd" if i % 2 else "even" for i in range(len(front))] + ["both"]
    widths = dict.fromkeys(buffers, 0)
    for name, width in zip(buffers, [policy.sizes[0], *padded[: len(front)]], strict=True):
        widths[name] = max(widths[name], width)
    widths["both"] = max(widths["both"], seen + policy.units)
    widths |= dict(zip(("update", "reset", "candidate"), padded[count:], strict=False))
    later = ["after", *("left" if i % 2 else "right" for i in range(len(behind)))]
    for name, width in zip(later, [policy.units, *padded[count + GATES :]], strict=True):
        widths[name] = max(widths.get(name, 0), width)
    calls = [f"{layer.kernel.name}({c_layers.address(layers, i)}" for i, layer in enumerate(layers)]
    update, reset, candidate = calls[count:][:GATES]
    zero = layers[0].input_zero
    lines = [
        *(f"int16_t {name}[{width}];" for name, width in widths.items()),
        "int i;",
        f"for (i = 0; i < {upper}_FEATURES; i++) {{",
        f"    {buffers[0]}[i] = " + (f"(int16_t)(input[i] - ({zero}));" if zero else "input[i];"),
        "}",
        *(f"{calls[i]}, {buffers[i]}, {buffers[i + 1]});" for i in range(len(front))),
        f"for (i = 0; i < {upper}_MEMORY; i++) {{",
        f"    both[{seen} + i] = state->memory[i];",
        "}",
        f"{update}, both, update);",
        f"{reset}, both, reset);",
        f"keep(state->memory, reset, both + {seen});",
        f"{candidate}, both, candidate);",
        "remember(state->memory, update, candidate, after);",
        *(
            f"{call}, {source}, {target});"
            for call, source, target in zip(calls[count + GATES :], later, later[1:], strict=False)
        ),
        f"for (i = 0; i < {upper}_ACTIONS; i++) {{",
        f"    int32_t score = {later[-1]}[i];",
        "    IN_REGISTER(score); /* else copying becomes a call of memcpy */",
        f"    scores[i] = ({names['p']}_score)score;",
        "}",
    ]
    return "\n".join(f"    {line}" for line in lines)
