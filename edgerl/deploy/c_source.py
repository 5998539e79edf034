"""The generated C99 source: any int8 policy as `policy.h` and `policy.c`, without dependencies."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgerl import __version__
from edgerl.deploy import c_decision, c_functions, c_kernels, c_layers, c_memory, c_text, names
from edgerl.deploy.c_layers import CLayer
from edgerl.deploy.calibration import Quantiser
from edgerl.deploy.int8_policy import Deployed
from edgerl.util.errors import UserError

MAX_WIDTH = 2**15 - 1  # of a layer: int16_t counts its inputs
# What the action is made of: its type and its description in the header.
_SCORES = {
    "box": (
        "int8_t",
        "The network's int8 outputs, as TFLM computes them: each number of the action, in 1/128, saturated.",
    ),
    "outputs": ("int8_t", "What the action is the largest of: the network's int8 outputs, as TFLM computes them."),
    "accumulators": (
        "int32_t",
        "What the action is the largest of: the last layer's sums, before they become int8: ties are rarer.",
    ),
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a policy comes from: what the header tells its reader.

    Attributes:
      model_sha256: of the `.tflite`.
      environment_id: "CartPole-v1"; empty if not known.
      environment: id and parameters in words.
      observations: what each feature is, "cart position, m"; empty if not known.
      actions: what each action does, "push left"; empty if not known.
      name: prefix of files, symbols and macros.
    """

    model_sha256: str
    environment_id: str = ""
    environment: str = "not given"
    observations: Sequence[str] = ()
    actions: Sequence[str] = ()
    name: str = names.DEFAULT


@dataclasses.dataclass(frozen=True)
class TestVectors:
    """float32 observations [N, features], scores [N, actions] as `evaluate` gives them, and their actions: int [N], or
    float32 [N, actions] of a box."""

    observations: np.ndarray
    scores: np.ndarray
    actions: np.ndarray


def generate(policy: Deployed, origin: Origin, vectors: TestVectors) -> dict[str, str]:
    """File name → text of `NAME.h` and `NAME.c`.

    Raises:
      UserError: a layer is wider than the C code's counters.
    """
    if max(policy.sizes) > MAX_WIDTH:
        raise UserError(
            f"the C code holds at most {MAX_WIDTH} features, neurons and actions; {max(policy.sizes)} are too many"
        )
    layers = c_layers.of(policy)
    tables = _tables(layers)
    table_type = _table_type(tables)
    sizes = "-".join(map(str, policy.sizes))
    words = names.words(origin.name, origin.model_sha256)
    words |= c_memory.words(policy, words)
    scores = _SCORES[policy.argmax if policy.space is None else "box"]
    common = words | {"title": f"An int8 policy of {sizes} neurons", "version": __version__}
    header = common | {
        "model_sha256": origin.model_sha256,
        "environment": origin.environment,
        "environment_id": origin.environment_id,
        "features": policy.sizes[0],
        "actions": policy.sizes[-1],
        "vectors": len(vectors.actions),
        "score_type": scores[0],
        "score_meaning": scores[1],
        "feature_rows": _feature_rows(policy, origin.observations),
        **c_decision.header(policy, origin.actions, words),
    }
    quantiser = c_text.template("quantise.c.in", words)
    inference = (c_memory.source if policy.units else _inference)(policy, layers, words)
    loops = [c_kernels.source(kernel, table_type) for kernel in dict.fromkeys(layer.kernel for layer in layers)]
    source = common | {
        "dense": c_text.declarations(table_type if tables else None),
        "constants": "\n\n".join(_constants(policy, layers, vectors, words)),
        "kernels": "\n\n".join([*c_functions.called("\n".join([*loops, quantiser, inference])), *loops]),
        "offset_type": _offset_type(policy.quantiser),
        "inference": inference,
        "quantiser": quantiser.rstrip(),
        "decision": c_decision.source(policy, words),
    }
    return {
        f"{origin.name}.h": c_text.template("policy.h.in", header),
        f"{origin.name}.c": c_text.template("policy.c.in", source),
    }


def _constants(policy: Deployed, layers: list[CLayer], vectors: TestVectors, words: Mapping[str, str]) -> Iterator[str]:
    """The `static const` definitions."""
    p, upper = words["p"], words["P"]
    features, actions = policy.sizes[0], policy.sizes[-1]
    rows = ",\n    ".join(_features(policy.quantiser))
    yield f"static const ROM struct feature features[{upper}_FEATURES] = {{\n    {rows},\n}};"
    tables = _tables(layers)
    for i, layer in enumerate(layers):
        kernel, spare = layer.kernel, -len(layer.bias) % layer.kernel.width
        yield from c_text.dense(i, layer.weights, layer.bias, kernel.width)
        if kernel.epilogue != "accumulators":
            yield c_text.scalings(i, layer.multiplier, layer.shift, spare if kernel.per_channel else 0)
        if i in tables:
            yield c_text.array(f"ROM {_table_type(tables)} table_{i}[256]", tables[i])
    yield from _layers(layers)
    count = f"{upper}_TEST_VECTORS"
    yield c_text.array(
        f"ROM float test_observations[{count}][{upper}_FEATURES]", c_text.floats(vectors.observations), features
    )
    yield c_text.array(f"ROM {p}_score test_scores[{count}][{upper}_ACTIONS]", vectors.scores, actions)
    yield from c_decision.constants(policy, vectors.actions, words)


def _features(quantiser: Quantiser) -> Iterator[str]:
    """A `struct feature` for each: of the gain f * 2^(e - 150), f of 24 bits, and an observation likewise, the product
    is as many half steps as 2^-300 of it, whose 22 lowest bits are dropped. A subnormal gain counts as 0, as in XLA."""
    bits = np.asarray(quantiser.gain, np.float32).view(np.uint32)
    exponents = (bits >> 23).astype(int)
    factors = np.where(exponents == 0, 0, ((bits & 0x7FFFFF) | 0x800000) << 2)
    for factor, offset, exponent in zip(factors, quantiser.offset, 278 - exponents, strict=True):
        yield c_text.braced([factor, offset, exponent])


def _offset_type(quantiser: Quantiser) -> str:
    limits = np.iinfo(np.int16)
    fits = quantiser.offset.min() >= limits.min and quantiser.offset.max() <= limits.max
    return "int16_t" if fits else "int32_t"


def _tables(layers: list[CLayer]) -> dict[int, np.ndarray]:
    """Layer index → int16 [256] table, its outputs without their zero point."""
    zeros = [layer.input_zero for layer in layers[1:]]
    pairs = zip(layers, zeros, strict=False)
    return {
        i: np.asarray(layer.table, np.int16) - zero for i, (layer, zero) in enumerate(pairs) if layer.table is not None
    }


def _table_type(tables: dict[int, np.ndarray]) -> str:
    """The narrowest type that holds every table."""
    low, high = min((t.min() for t in tables.values()), default=0), max((t.max() for t in tables.values()), default=0)
    return "uint8_t" if low >= 0 else "int8_t" if low >= -128 and high <= 127 else "int16_t"


def _layers(layers: list[CLayer]) -> Iterator[str]:
    """An array of `struct layer` for each run. A single one is no array: compilers put its numbers into the code."""
    rows = []
    with_tables = any(layer.table is not None for layer in layers)
    for i, layer in enumerate(layers):
        (inputs, outputs), kernel = layer.weights.shape, layer.kernel
        # Scores keep their zero point; a table is indexed from 0; a ReLU starts at its zero point, which is dropped.
        zero, low, high = {
            "scores": (layer.output_zero, layer.low, layer.high),
            "accumulators": (0, 0, 0),
            "table": (layer.output_zero + 128, 0, 255),
            "relu": (0, 0, layer.high - layer.output_zero),
        }[kernel.epilogue]
        table = [f"table_{i}" if layer.table is not None else "0"] if with_tables else []
        scaling = "0" if kernel.epilogue == "accumulators" else f"scaling_{i}"
        names = [f"weights_{i}", f"bias_{i}", scaling, *table]
        numbers = [inputs, -(-outputs // kernel.width), zero, low, high]
        rows.append("{" + ", ".join(map(str, [*names, *numbers])) + "}")
    for start, end in c_layers.runs(layers):
        if end == start + 1:
            yield f"static const ROM struct layer layer_{start} = {rows[start]};"
        else:
            listed = "".join(f"\n    {row}," for row in rows[start:end])
            yield f"static const ROM struct layer layers_{start}[{end - start}] = {{{listed}\n}};"


def _inference(policy: Deployed, layers: list[CLayer], words: Mapping[str, str]) -> str:
    """`NAME_infer`: two buffers, written in turn; accumulators as scores need a wider one at the end."""
    p, upper = words["p"], words["P"]
    kernels = [layer.kernel for layer in layers]
    outputs = [-(-n // kernel.width) * kernel.width for n, kernel in zip(policy.sizes[1:], kernels, strict=True)]
    buffers = ["odd" if i % 2 else "even" for i in range(len(outputs) + 1)]
    if policy.argmax == "accumulators":
        buffers[-1] = "sums"
    widths = dict.fromkeys(buffers, 0)
    for name, width in zip(buffers, [policy.sizes[0], *outputs], strict=True):
        widths[name] = max(widths[name], width)
    zero = layers[0].input_zero
    lines = [
        *(f"{'int32_t' if name == 'sums' else 'int16_t'} {name}[{width}];" for name, width in widths.items()),
        "int i;",
        f"for (i = 0; i < {words['P']}_FEATURES; i++) {{",
        f"    even[i] = (int16_t)(input[i] - ({zero}));" if zero else "    even[i] = input[i];",
        "}",
        *_calls(layers, buffers),
        f"for (i = 0; i < {words['P']}_ACTIONS; i++) {{",
        f"    int32_t score = {buffers[-1]}[i];",
        "    IN_REGISTER(score); /* else copying accumulators becomes a call of memcpy */",
        f"    scores[i] = ({words['p']}_score)score;",
        "}",
    ]
    body = "\n".join(f"    {line}" for line in lines)
    return (
        f"FAST void {p}_infer(const int8_t input[{upper}_FEATURES], {p}_score scores[{upper}_ACTIONS])\n{{\n{body}\n}}"
    )


def _calls(layers: list[CLayer], buffers: list[str]) -> Iterator[str]:
    """The layers in turn. A run of them is a loop: compilers then put its kernel there, and save its registers once."""
    for start, end in c_layers.runs(layers):
        kernel = layers[start].kernel
        if end == start + 1:
            yield f"{kernel.name}({c_layers.address(layers, start)}, {buffers[start]}, {buffers[end]});"
            continue
        yield from ("{", f"    const ROM struct layer *l = layers_{start};")
        yield from (f"    int16_t *from = {buffers[start]};", f"    int16_t *to = {buffers[start + 1]};")
        yield from (
            "    FROM_FLASH(l);",
            "    do {",
            "        int16_t *const other = from;",
            f"        {kernel.name}(l, from, to);",
        )
        yield from ("        from = to;", "        to = other;", "        l++;")
        yield from (f"    }} while (l != layers_{start} + {end - start});", "}")


def _feature_rows(policy: Deployed, told: Sequence[str]) -> str:
    """What each feature is, the range that int8 holds of it, and its constants."""
    quantiser, rows = policy.quantiser, []
    columns = zip(quantiser.step, quantiser.offset, quantiser.low, quantiser.high, strict=True)
    for i, (step, offset, low, high) in enumerate(columns):
        name = f"{told[i]}: " if i < len(told) else ""
        rows.append(f" *   [{i}] {name}{low:.4g} to {high:.4g}; step {step:.9g}, offset {offset}")
    return "\n".join(rows)
