"""The inner loops of the generated C: which there are, and their text.

How it saves instructions. A block of up to 16 outputs keeps its accumulators in registers while it walks over the
inputs, so that a multiply-accumulate costs three instructions on RV32IM (load a weight, multiply, add) and an input is
loaded once a block; weights lie in that order. Activations are stored without their zero point, so a ReLU's zero is 0
and skips its whole row. TFLM's two roundings become one addition and one shift, which is exact: floor divisions nest.
"""

import dataclasses

MAX_BLOCK = 16  # accumulators that a machine with 32 registers holds beside the loop's own variables


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A C function for all layers with the same block width, epilogue and unrolling."""

    width: int
    epilogue: str  # relu | table | scores | accumulators
    per_channel: bool
    unroll: int = 1

    @property
    def name(self) -> str:
        return f"dense_{self.width}_{self.epilogue}{'_per_channel' if self.per_channel else ''}"


_SCALED = """\
FAST static inline int32_t scaled(int32_t accumulator, struct scaling s)
{
    const int32_t q = (int32_t)(((int64_t)(accumulator * s.factor) * s.multiplier) >> 32);
    return (q + s.rounding + ((q >> 31) & s.negative)) >> s.shift;
}"""
# What becomes of an accumulator. Activations leave without their zero point; accumulators leave as they are.
_EPILOGUES = {
    "relu": """\
FAST static inline int32_t relu(int32_t accumulator, struct scaling s, int32_t high)
{
    int32_t y = (int32_t)(((int64_t)(accumulator * s.factor) * s.multiplier) >> 32);
    y = (y + s.rounding) >> s.shift; /* exact above 0, and not above 0 below it */
    y = (uint32_t)y <= (uint32_t)high ? y : y < 0 ? 0 : high;
    IN_REGISTER(y);
    return y;
}""",
    "table": """\
FAST static inline int32_t index_of(int32_t accumulator, struct scaling s, int32_t zero)
{
    const int32_t y = scaled(accumulator, s) + zero;
    return (uint32_t)y <= 255 ? y : y < 0 ? 0 : 255;
}""",
    "scores": """\
FAST static inline int32_t score(int32_t accumulator, struct scaling s, const struct layer *l)
{
    const int32_t y = scaled(accumulator, s) + l->zero;
    return y < l->low ? l->low : y > l->high ? l->high : y;
}""",
}
# How a kernel calls it for accumulator {a} and scaling {s}, and what it loads for that once a block.
_CALLS = {
    "relu": ("relu({a}, {s}, high)", ["const int32_t high = l->high;"]),
    "table": ("table[index_of({a}, {s}, zero)]", ["const int32_t zero = l->zero;"]),
    "scores": ("score({a}, {s}, l)", []),
    "accumulators": ("{a}", []),
}


def blocks(outputs: int, largest: int = MAX_BLOCK) -> int:
    """How many blocks of at most `largest` accumulators a layer is computed in."""
    return -(-outputs // largest)


def helpers(kernels: list[Kernel], code: str = "") -> list[str]:
    """The C functions that these kernels and `code` call, no other: compilers warn of functions that nobody calls."""
    used = {kernel.epilogue for kernel in kernels}
    scaled = used & {"table", "scores"} or "scaled(" in code
    return [*([_SCALED] if scaled else []), *(_EPILOGUES[e] for e in _EPILOGUES if e in used)]


def source(kernel: Kernel, table_type: str) -> str:
    """One dense layer, block by block: accumulators a0 …, inputs v0 …; a weight row of zeros is skipped."""
    lanes, steps = range(kernel.width), range(kernel.unroll)
    call, loads = _CALLS[kernel.epilogue]
    output = "int32_t" if kernel.epilogue == "accumulators" else "int16_t"
    if kernel.epilogue != "accumulators" and not kernel.per_channel:
        loads = ["const struct scaling s = *l->scaling;", *loads]
    if kernel.epilogue == "table":
        loads = [*loads, f"const {table_type} *const table = l->table;"]
    lines = [
        f"FAST static void {kernel.name}(const struct layer *l, const int16_t *x, {output} *y)",
        "{",
        "    const int16_t *const end = x + l->inputs;",
        "    const int8_t *w = l->weights;",
        "    const int32_t *bias = l->bias;",
        *(["    const struct scaling *s = l->scaling;"] if kernel.per_channel else []),
        "    int blocks = l->blocks;",
        "    do {",
        "        const int16_t *p = x;",
        *(f"        int32_t a{k} = bias[{k}];" for k in lanes),
        "        do {",
        *(f"            const int32_t v{u} = p[{u}];" for u in steps),
    ]
    for u in steps:
        sums = [f"a{k} += v{u} * w[{u * kernel.width + k}];" for k in lanes]
        if kernel.epilogue != "table" and kernel.width > 4:
            lines += [f"            if (v{u} != 0) {{", *(f"                {line}" for line in sums), "            }"]
        else:
            lines += [f"            {line}" for line in sums]
    lines += [
        f"            p += {kernel.unroll};",
        f"            w += {kernel.unroll * kernel.width};",
        "        } while (p != end);",
        "        {",
        *(f"            {load}" for load in loads),
        *(
            f"            y[{k}] = ({output}){call.format(a=f'a{k}', s=f's[{k}]' if kernel.per_channel else 's')};"
            for k in lanes
        ),
        "        }",
        f"        bias += {kernel.width};",
        *([f"        s += {kernel.width};"] if kernel.per_channel else []),
        f"        y += {kernel.width};",
        "    } while (--blocks != 0);",
        "}",
    ]
    return "\n".join(lines)
