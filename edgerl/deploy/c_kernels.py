"""The inner loops of the generated C: which there are, and their text.

How it saves instructions. A block of up to 16 outputs keeps its accumulators in registers while it walks over the
inputs, so that a multiply-accumulate costs three instructions on RV32IM (load a weight, multiply, add) and an input is
loaded once a block; weights lie in that order. A product of an int9 and an int8 fits the 16 bits of an AVR's `int`.
Activations are stored without their zero point, so a ReLU's zero is 0 and skips its whole row. TFLM's two roundings
become one addition and one shift, which is exact: floor divisions nest.
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


def _avr_product() -> str:
    """Assembler for an AVR: the upper half of the unsigned 64-bit product of a and b, column by column.

    The library's takes 303 cycles, this one 151 (GCC 5.4, ATmega328P): of a 4-32-32-2 policy's decision, a sixth.
    """
    lines = ["clr %[zero]", "clr %[x]", "clr %[y]", "clr %[z]"]
    low, high, carry = "x", "y", "z"
    for column in range(7):
        for i in range(4):
            if 0 <= column - i < 4:
                lines += [f"mul %{'ABCD'[i]}[a], %{'ABCD'[column - i]}[b]", f"add %[{low}], r0"]
                lines += [f"adc %[{high}], r1", f"adc %[{carry}], %[zero]"]
        lines += [f"mov %{'ABCD'[column - 4]}[upper], %[{low}]"] if column >= 4 else []
        lines += [f"clr %[{low}]"]
        low, high, carry = high, carry, low
    lines += [f"mov %D[upper], %[{low}]", "clr r1"]
    return "\n".join(f'            "{line}\\n"' for line in lines)


_HIGH = f"""\
/* floor(a * b / 2^32), b >= 0. */
FAST static inline int32_t upper_half(int32_t a, int32_t b)
{{
#if defined(__AVR__)
    uint32_t upper;
    uint8_t x, y, z, zero;
    __asm__(
{_avr_product()}
            : [upper] "=&r"(upper), [x] "=&r"(x), [y] "=&r"(y), [z] "=&r"(z), [zero] "=&r"(zero)
            : [a] "r"(a), [b] "r"(b)
            : "r0");
    return (int32_t)(a < 0 ? upper - (uint32_t)b : upper);
#elif defined(__ARM_ARCH_6M__) || defined(__XTENSA__)
    /* No instruction has the upper half of a product: four products of halves are faster than the library's one. */
    const uint32_t a_low = (uint32_t)a & 0xFFFF;
    const uint32_t a_high = (uint32_t)a >> 16;
    const uint32_t b_low = (uint32_t)b & 0xFFFF;
    const uint32_t b_high = (uint32_t)b >> 16;
    const uint32_t left = a_high * b_low;
    const uint32_t right = a_low * b_high;
    const uint32_t middle = ((a_low * b_low) >> 16) + (left & 0xFFFF) + (right & 0xFFFF);
    const uint32_t upper = a_high * b_high + (left >> 16) + (right >> 16) + (middle >> 16);
    return (int32_t)(a < 0 ? upper - (uint32_t)b : upper);
#else
    return (int32_t)(((int64_t)a * b) >> 32);
#endif
}}

FAST static inline int32_t shifted(int32_t y, uint8_t shift)
{{
#if defined(__AVR__) /* which shifts by one bit at a time, but moves bytes */
    if (shift >= 8) {{
        y >>= 8;
        shift = (uint8_t)(shift - 8);
    }}
#endif
    return y >> shift;
}}"""
_SCALED = """\
FAST static inline int32_t scaled(int32_t accumulator, struct scaling s)
{
    const uint32_t moved = (uint32_t)accumulator << s.left;
    const int32_t q = upper_half((int32_t)moved, s.multiplier);
    return shifted(q + s.rounding + ((q >> 31) & s.negative), s.shift);
}"""
# What becomes of an accumulator. Activations leave without their zero point; accumulators leave as they are.
_EPILOGUES = {
    "relu": """\
FAST static inline int32_t relu(int32_t accumulator, struct scaling s, int32_t high)
{
    int32_t y = 0;
    if (accumulator > 0) { /* half of them are not */
        y = upper_half(accumulator << s.left, s.multiplier);
        y = shifted(y + s.rounding, s.shift);
        if (SELDOM(y > high)) {
            y = high;
            IN_REGISTER(y); /* else the compiler makes a minimum of it, whose branch is taken */
        }
    }
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
FAST static inline int32_t score(int32_t accumulator, struct scaling s, const ROM struct layer *l)
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
    multiplied = [_HIGH] if scaled or "relu" in used else []
    return [*multiplied, *([_SCALED] if scaled else []), *(_EPILOGUES[e] for e in _EPILOGUES if e in used)]


def source(kernel: Kernel, table_type: str) -> str:
    """One dense layer, block by block: accumulators a0 …, inputs v0 …; a weight row of zeros is skipped.

    Where registers are few, a block is computed some outputs at a time, the inputs read anew.
    """
    versions: list[tuple[str, str]] = []
    for macro, lanes in _FEW_REGISTERS:
        group = next(n for n in range(lanes, 0, -1) if kernel.width % n == 0)
        if group < kernel.width and 2 * group >= min(lanes, kernel.width):
            once = dataclasses.replace(kernel, unroll=1)  # more would cost registers, too
            versions.append((f"defined({macro})", _function(once, table_type, group)))
    whole = _function(kernel, table_type, kernel.width)
    if not versions:
        return whole
    chosen = [f"#{'el' if i else ''}if {condition}\n{text}" for i, (condition, text) in enumerate(versions)]
    return "\n".join([*chosen, "#else", whole, "#endif"])


def _function(kernel: Kernel, table_type: str, group: int) -> str:
    """The kernel, `group` outputs of a block at a time."""
    lanes, steps, whole = range(group), range(kernel.unroll), group == kernel.width
    call, loads = _CALLS[kernel.epilogue]
    output = "int32_t" if kernel.epilogue == "accumulators" else "int16_t"
    if kernel.epilogue != "accumulators" and not kernel.per_channel:
        loads = ["const struct scaling s = *l->scaling;", *loads]
    if kernel.epilogue == "table":
        loads = [*loads, f"const ROM {table_type} *const table = l->table;"]
    lines = [
        f"FAST static void {kernel.name}(const ROM struct layer *l, const int16_t *x, {output} *y)",
        "{",
        "    const int16_t *const end = x + l->inputs;",
        f"    const ROM int8_t *{'w' if whole else 'block'} = l->weights;",
        "    const ROM int32_t *bias = l->bias;",
        *(["    const ROM struct scaling *s = l->scaling;"] if kernel.per_channel else []),
        "    int blocks = l->blocks;",
        *([] if whole else ["    int part = 0;"]),
        "    do {",
        "        const int16_t *p = x;",
        *([] if whole else ["        const ROM int8_t *w = block + part;"]),
        *(f"        int32_t a{k} = bias[{k}];" for k in lanes),
        "        do {",
        *(f"            const int v{u} = p[{u}];" for u in steps),
    ]
    for u in steps:
        sums = _few_sums(group) if group <= 2 < kernel.width else _sums(group, u, u * kernel.width)
        if kernel.epilogue != "table" and kernel.width > 1:
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
        f"        bias += {group};",
        *([f"        s += {group};"] if kernel.per_channel else []),
        f"        y += {group};",
    ]
    if whole:
        return "\n".join([*lines, "    } while (--blocks != 0);", "}"])
    return "\n".join(
        [
            *lines,
            f"        part += {group};",
            f"        if (part == {kernel.width}) {{",
            "            part = 0;",
            f"            block += (uint16_t)l->inputs * {kernel.width}u;",
            "            blocks--;",
            "        }",
            "    } while (blocks != 0);",
            "}",
        ]
    )


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
