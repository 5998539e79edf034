"""The inner loops of the generated C: which there are, and their text.

How it saves instructions. A block of up to 16 outputs keeps its accumulators in registers while it walks over the
inputs, so that a multiply-accumulate costs three instructions on RV32IM (load a weight, multiply, add) and an input is
loaded once a block; weights lie in that order. A product of an int9 and an int8 fits the 16 bits of an AVR's `int`.
An input that is a ReLU's zero skips its whole row of weights. TFLM's two roundings become one addition and one shift,
which is exact: floor divisions nest.

There are two forms. A perceptron's layers read and write int16 without zero point. A network of many operators keeps
its values as int8 in an arena; its layers read them where they lie, a rectangle of an image row by row: nothing is
gathered, and what a convolution's window has outside the image is left out, since padding counts as zero.
"""

import dataclasses
from collections.abc import Iterator

MAX_BLOCK = 16  # accumulators that a machine with 32 registers holds beside the loop's own variables


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A C function for all layers with the same block width, epilogue and unrolling.

    Attributes:
      width: outputs of a block.
      epilogue: relu | table | scores | accumulators, or relu_int8: a ReLU with its zero point.
      per_channel: whether each output has a multiplier of its own.
      unroll: inputs of one turn of the loop.
      image: whether it reads int8 of an image and writes int8.
    """

    width: int
    epilogue: str
    per_channel: bool
    unroll: int = 1
    image: bool = False

    @property
    def name(self) -> str:
        by = f"_by_{self.unroll}" if self.image and self.unroll > 1 else ""
        return f"dense_{self.width}_{self.epilogue}{'_per_channel' if self.per_channel else ''}{by}"


# How a kernel calls its epilogue for accumulator {a} and scaling {s}, and what it loads for that once a block.
_CALLS = {
    "relu": ("relu({a}, {s}, high)", ["const int32_t high = l->high;"]),
    "relu_int8": ("relu({a}, {s}, high) + low", ["const int32_t low = l->low;", "const int32_t high = l->high - low;"]),
    "table": ("table[index_of({a}, {s}, zero)]", ["const int32_t zero = l->zero;"]),
    "scores": ("score({a}, {s}, l)", []),
    "accumulators": ("{a}", []),
}


def blocks(outputs: int, largest: int = MAX_BLOCK) -> int:
    """How many blocks of at most `largest` accumulators a layer is computed in."""
    return -(-outputs // largest)


def source(kernel: Kernel, table_type: str) -> str:
    """A dense layer, or one place of a convolution, block by block: accumulators a0 …, inputs v0 ….

    Where registers are few, a block is computed some outputs at a time, the inputs read anew.
    """
    versions: list[tuple[str, str]] = []
    for macro, lanes in _FEW_REGISTERS:
        group = next(n for n in range(lanes, 0, -1) if kernel.width % n == 0)
        if group < kernel.width and 2 * group >= min(lanes, kernel.width):
            once = dataclasses.replace(kernel, unroll=1)  # more would cost registers, too
            versions.append((f"defined({macro})", _function(once, table_type, group, kernel.name)))
    whole = _function(kernel, table_type, kernel.width, kernel.name)
    if not versions:
        return whole
    chosen = [f"#{'el' if i else ''}if {condition}\n{text}" for i, (condition, text) in enumerate(versions)]
    return "\n".join([*chosen, "#else", whole, "#endif"])


def _function(kernel: Kernel, table_type: str, group: int, name: str) -> str:
    """The kernel, `group` outputs of a block at a time."""
    lanes, whole = range(group), group == kernel.width
    call, loads = _CALLS[kernel.epilogue]
    output = "int32_t" if kernel.epilogue == "accumulators" else "int8_t" if kernel.image else "int16_t"
    if kernel.epilogue != "accumulators" and not kernel.per_channel:
        loads = ["const struct scaling s = *l->scaling;", *loads]
    if kernel.epilogue == "table":
        loads = [*loads, f"const ROM {table_type} *const table = l->table;"]
    scaling = "s[{}]" if kernel.per_channel else "s"
    read = "const struct rows *r" if kernel.image else "const int16_t *x"
    return "\n".join(
        [
            f"KERNEL static void {name}(const ROM struct layer *l, {read}, {output} *y)",
            "{",
            *(["    const int zero = r->zero;"] if kernel.image else ["    const int16_t *const end = x + l->inputs;"]),
            f"    const ROM int8_t *{'block' if kernel.image or not whole else 'w'} = l->weights;",
            "    const ROM int32_t *bias = l->bias;",
            *(["    const ROM struct scaling *s = l->scaling;"] if kernel.per_channel else []),
            "    int blocks = l->blocks;",
            *([] if whole else ["    int part = 0;"]),
            "    do {",
            *(f"        {line}" for line in _walk(kernel, group)),
            "        {",
            *(f"            {load}" for load in [*loads, *(["FROM_FLASH(s);"] if kernel.per_channel else [])]),
            *(f"            y[{k}] = ({output})({call.format(a=f'a{k}', s=scaling.format(k))});" for k in lanes),
            "        }",
            f"        bias += {group};",
            *([f"        s += {group};"] if kernel.per_channel else []),
            f"        y += {group};",
            *(f"        {line}" for line in _next_block(kernel, group)),
            "    } while (blocks != 0);",
            "}",
        ]
    )


def _walk(kernel: Kernel, group: int) -> Iterator[str]:
    """From the first input of a block to its last."""
    part = "" if group == kernel.width else " + part"
    biases = [f"int32_t a{k} = bias[{k}];" for k in range(group)]
    if not kernel.image:
        yield from ("const int16_t *p = x;", *([f"const ROM int8_t *w = block{part};"] if part else []), *biases)
        yield from _loop(kernel, group)
        return
    yield from ("const int8_t *p = r->first;", f"const ROM int8_t *w = block + r->weight{part};", "int rows = r->rows;")
    yield from (*biases, "do {", "    const int8_t *const end = p + r->length;")
    yield from (f"    {line}" for line in _loop(kernel, group))
    yield from ("    p += r->gap;", "    w += r->weight_gap;", "} while (--rows != 0);")


def _loop(kernel: Kernel, group: int) -> Iterator[str]:
    """Over inputs that lie one behind the other."""
    yield "do {"
    ahead = 2 if kernel.image else kernel.unroll  # inputs that are loaded before the first is used
    for u in range(kernel.unroll):
        if u % ahead == 0:
            loaded = range(u, min(u + ahead, kernel.unroll))
            yield from (f"    const int v{i} = p[{i}]{' - zero' if kernel.image else ''};" for i in loaded)
        sums = _few_sums(group) if group <= 2 < kernel.width else _sums(group, u, u * kernel.width)
        if kernel.epilogue != "table" and kernel.width > 1:
            yield from (f"    if (v{u} != 0) {{", *(f"        {line}" for line in sums), "    }")
        else:
            yield from (f"    {line}" for line in sums)
    yield from (f"    p += {kernel.unroll};", f"    w += {kernel.unroll * kernel.width};", "} while (p != end);")


def _next_block(kernel: Kernel, group: int) -> list[str]:
    step = f"block += (uint16_t)l->inputs * {kernel.width}u;"
    if group == kernel.width:
        return [*([step] if kernel.image else []), "blocks--;"]
    return [
        f"part += {group};",
        f"if (part == {kernel.width}) {{",
        "    part = 0;",
        f"    {step}",
        "    blocks--;",
        "}",
    ]


# Processors with registers for few accumulators, and for how many.
_FEW_REGISTERS = (("__AVR__", 2), ("__arm__", 8))
_GROUP = 4  # of products: a load's result is not there at once, and a product's neither on some processors


def _few_sums(lanes: int) -> list[str]:
    """The same of few outputs, one weight behind the other: an AVR reads flash at a pointer that moves on by itself."""
    loads = [f"int t{k} = *q++;" for k in range(lanes)]
    return ["const ROM int8_t *q = w;", *loads, *(f"a{k} += t{k} * v0;" for k in range(lanes))]


def _sums(lanes: int, step: int, first: int) -> list[str]:
    """The products of input v`step`, whose weights begin at `first`: loads, then multiplications, then additions."""
    lines = []
    for start in range(0, lanes, _GROUP):
        part = range(start, min(start + _GROUP, lanes))
        lines.append("{")
        lines += [f"    int t{k} = WEIGHT(w, {first + k});" for k in part]
        lines += [f"    t{k} *= v{step};" for k in part]
        lines += [f"    a{k} += t{k};" for k in part]
        lines.append("}")
    return lines
