"""The functions that inner loops, operators and the quantiser of the generated C call: products, shifts, epilogues."""

import re


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


_NO_UPPER_HALF = "defined(__AVR__) || defined(__ARM_ARCH_6M__) || defined(__XTENSA__)"
_PRODUCT = f"""\
/* floor(a * b / 2^32) */
FAST static inline uint32_t upper_product(uint32_t a, uint32_t b)
{{
#if defined(__AVR__)
    uint32_t upper;
    uint8_t x, y, z, zero;
    __asm__(
{_avr_product()}
            : [upper] "=&r"(upper), [x] "=&r"(x), [y] "=&r"(y), [z] "=&r"(z), [zero] "=&r"(zero)
            : [a] "r"(a), [b] "r"(b)
            : "r0");
    return upper;
#elif {_NO_UPPER_HALF}
    /* No instruction has the upper half of a product: four products of halves are faster than the library's one. */
    const uint32_t a_low = a & 0xFFFF;
    const uint32_t a_high = a >> 16;
    const uint32_t b_low = b & 0xFFFF;
    const uint32_t b_high = b >> 16;
    const uint32_t left = a_high * b_low;
    const uint32_t right = a_low * b_high;
    const uint32_t middle = ((a_low * b_low) >> 16) + (left & 0xFFFF) + (right & 0xFFFF);
    return a_high * b_high + (left >> 16) + (right >> 16) + (middle >> 16);
#else
    return (uint32_t)(((uint64_t)a * b) >> 32);
#endif
}}"""
_HIGH = f"""\
/* floor(a * b / 2^32), b >= 0. */
FAST static inline int32_t upper_half(int32_t a, int32_t b)
{{
#if {_NO_UPPER_HALF}
    const uint32_t upper = upper_product((uint32_t)a, (uint32_t)b);
    return (int32_t)(a < 0 ? upper - (uint32_t)b : upper);
#else
    return (int32_t)(((int64_t)a * b) >> 32);
#endif
}}"""
_SHIFTED = """\
FAST static inline int32_t shifted(int32_t y, uint8_t shift)
{
#if defined(__AVR__) /* which shifts by one bit at a time, but moves bytes */
    while (shift >= 8) {
        y >>= 8;
        shift = (uint8_t)(shift - 8);
    }
#endif
    return y >> shift;
}"""
_SCALED = """\
FAST static inline int32_t scaled(int32_t accumulator, struct scaling s)
{
    const uint32_t moved = (uint32_t)accumulator << s.left;
    const int32_t q = upper_half((int32_t)moved, s.multiplier);
    return shifted(q + s.rounding + ((q >> 31) & s.negative), s.shift);
}"""
# What becomes of an accumulator. Of a ReLU and of a table, activations come without their zero point.
_RELU = """\
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
}"""
_INDEX = """\
FAST static inline int32_t index_of(int32_t accumulator, struct scaling s, int32_t zero)
{
    const int32_t y = scaled(accumulator, s) + zero;
    return (uint32_t)y <= 255 ? y : y < 0 ? 0 : 255;
}"""
_SCORE = """\
FAST static inline int32_t score(int32_t accumulator, struct scaling s, const ROM struct layer *l)
{
    const int32_t y = scaled(accumulator, s) + l->zero;
    return y < l->low ? l->low : y > l->high ? l->high : y;
}"""
# In the order in which each finds what it calls.
_FUNCTIONS = {
    "upper_product": _PRODUCT,
    "upper_half": _HIGH,
    "shifted": _SHIFTED,
    "scaled": _SCALED,
    "relu": _RELU,
    "index_of": _INDEX,
    "score": _SCORE,
}


def called(code: str) -> list[str]:
    """The functions that `code` calls, and what those call, no other: compilers warn of functions that nobody calls."""
    texts: dict[str, str] = {}
    for name in reversed(_FUNCTIONS):
        if any(_calls(text, name) for text in (code, *texts.values())):
            texts[name] = _FUNCTIONS[name]
    if "upper_product" in texts and not _calls(code, "upper_product"):
        texts["upper_product"] = f"#if {_NO_UPPER_HALF}\n{_PRODUCT}\n#endif"
    return [texts[name] for name in _FUNCTIONS if name in texts]


def _calls(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\(", text) is not None
