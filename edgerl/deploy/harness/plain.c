/*
 * What compilers call that a freestanding program lacks: copying, and, with SOFT_ARITHMETIC, the four routines that
 * Debian's libgcc for the Xtensa lx106 has not (on an ESP8266 they are in the chip's ROM).
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
    unsigned char *p = to;
    const unsigned char *q = from;
    while (size-- > 0) {
        *p++ = *q++;
        __asm__ volatile("" ::: "memory"); /* else the loop becomes a call of memcpy */
    }
    return to;
}

void *memset(void *to, int value, size_t size)
{
    unsigned char *p = to;
    while (size-- > 0) {
        *p++ = (unsigned char)value;
        __asm__ volatile("" ::: "memory");
    }
    return to;
}

#ifdef SOFT_ARITHMETIC
/* The high and the low word of a product. */
static uint32_t product(uint32_t a, uint32_t b, uint32_t *low)
{
    const uint32_t ll = (a & 0xffff) * (b & 0xffff);
    const uint32_t lh = (a & 0xffff) * (b >> 16);
    const uint32_t hl = (a >> 16) * (b & 0xffff);
    const uint32_t middle = (ll >> 16) + (lh & 0xffff) + (hl & 0xffff);
    *low = (middle << 16) | (ll & 0xffff);
    return (a >> 16) * (b >> 16) + (lh >> 16) + (hl >> 16) + (middle >> 16);
}

union words {
    long long whole;
    uint32_t word[2];
};

long long __muldi3(long long a, long long b);
uint32_t __udivsi3(uint32_t a, uint32_t b);
uint32_t __umodsi3(uint32_t a, uint32_t b);
float __mulsf3(float a, float b);

long long __muldi3(long long a, long long b)
{
    union words x, y, made;
    x.whole = a;
    y.whole = b;
    made.word[1] = product(x.word[0], y.word[0], &made.word[0]);
    made.word[1] += x.word[0] * y.word[1] + x.word[1] * y.word[0];
    return made.whole;
}

static uint32_t divided(uint32_t a, uint32_t b, uint32_t *rest)
{
    uint32_t quotient = 0;
    int bit;
    *rest = 0;
    for (bit = 31; bit >= 0; bit--) {
        *rest = (*rest << 1) | ((a >> bit) & 1);
        if (*rest >= b) {
            *rest -= b;
            quotient |= 1u << bit;
        }
    }
    return quotient;
}

uint32_t __udivsi3(uint32_t a, uint32_t b)
{
    uint32_t rest;
    return divided(a, b, &rest);
}

uint32_t __umodsi3(uint32_t a, uint32_t b)
{
    uint32_t rest;
    (void)divided(a, b, &rest);
    return rest;
}

union real {
    float number;
    uint32_t bits;
};

/* The significand with its leading one, 1.31; the exponent grows with what subnormal numbers lack. */
static uint32_t significand(uint32_t bits, int *exponent)
{
    uint32_t made = (bits & 0x7fffff) << 8;
    *exponent = (int)(bits >> 23 & 255);
    if (*exponent != 0) {
        return made | 0x80000000u;
    }
    *exponent = 1;
    while (!(made & 0x80000000u)) {
        made <<= 1;
        *exponent -= 1;
    }
    return made;
}

/* IEEE 754's product of two single-precision numbers, halves to even. */
float __mulsf3(float a, float b)
{
    union real x, y, made;
    uint32_t sign, high, low, rest;
    int first, second, exponent;
    x.number = a;
    y.number = b;
    sign = (x.bits ^ y.bits) & 0x80000000u;
    if ((x.bits & 0x7fffffff) > 0x7f800000 || (y.bits & 0x7fffffff) > 0x7f800000) { /* NaN */
        made.bits = 0x7fc00000;
        return made.number;
    }
    if ((x.bits & 0x7fffffff) == 0x7f800000 || (y.bits & 0x7fffffff) == 0x7f800000) { /* infinite */
        made.bits = ((x.bits & 0x7fffffff) == 0 || (y.bits & 0x7fffffff) == 0) ? 0x7fc00000 : sign | 0x7f800000;
        return made.number;
    }
    if ((x.bits & 0x7fffffff) == 0 || (y.bits & 0x7fffffff) == 0) {
        made.bits = sign;
        return made.number;
    }
    high = significand(x.bits, &first);
    high = product(high, significand(y.bits, &second), &low);
    exponent = first + second - 127;
    if (high & 0x80000000u) {
        exponent++;
    } else {
        high = (high << 1) | (low >> 31);
        low <<= 1;
    }
    if (exponent >= 255) {
        made.bits = sign | 0x7f800000;
        return made.number;
    }
    if (exponent <= 0) { /* subnormal: what is shifted out still counts for the rounding */
        const int shift = 1 - exponent;
        if (shift > 31) {
            low = (high | low) != 0;
            high = 0;
        } else {
            low = ((high << (32 - shift)) | low) != 0;
            high >>= shift;
        }
        exponent = 0;
    }
    rest = high & 255;
    high >>= 8;
    if (rest > 128 || (rest == 128 && (low != 0 || (high & 1)))) {
        high++;
    }
    /* A carry out of the significand is one in the exponent. */
    made.bits = sign + (exponent == 0 ? high : ((uint32_t)exponent << 23) + (high - 0x800000));
    return made.number;
}
#endif
