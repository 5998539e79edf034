/*
 * The routines that Debian's libgcc for the Xtensa lx106 lacks (on an ESP8266 they are in the chip's ROM): products and
 * quotients of integers, products, sums and conversions of single-precision numbers, rounded as IEEE 754 asks.
 */
#include <stdint.h>

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

union real {
    float number;
    uint32_t bits;
};

unsigned long long __umulsidi3(uint32_t a, uint32_t b);
long long __muldi3(long long a, long long b);
uint32_t __udivsi3(uint32_t a, uint32_t b);
uint32_t __umodsi3(uint32_t a, uint32_t b);
unsigned long long __udivmoddi4(unsigned long long a, unsigned long long b, unsigned long long *rest);
unsigned long long __udivdi3(unsigned long long a, unsigned long long b);
unsigned long long __umoddi3(unsigned long long a, unsigned long long b);
float __mulsf3(float a, float b);
float __addsf3(float a, float b);
float __subsf3(float a, float b);
float __floatunsisf(uint32_t a);
float __floatsisf(int32_t a);

unsigned long long __umulsidi3(uint32_t a, uint32_t b)
{
    union words made;
    made.word[1] = product(a, b, &made.word[0]);
    return (unsigned long long)made.whole;
}

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

unsigned long long __udivdi3(unsigned long long a, unsigned long long b)
{
    return __udivmoddi4(a, b, 0);
}

unsigned long long __umoddi3(unsigned long long a, unsigned long long b)
{
    unsigned long long rest;
    (void)__udivmoddi4(a, b, &rest);
    return rest;
}

static float real(uint32_t bits)
{
    union real made;
    made.bits = bits;
    return made.number;
}

static uint32_t bits_of(float number)
{
    union real made;
    made.number = number;
    return made.bits;
}

/* The significand with its leading one, 1.31; the exponent grows with what subnormal numbers lack. */
static uint32_t significand(uint32_t bits, int *exponent)
{
    uint32_t made = (bits & 0x7fffff) << 8;
    *exponent = (int)(bits >> 23 & 255);
    if (*exponent != 0) {
        return made | 0x80000000u;
    }
    *exponent = 1;
    while (made != 0 && !(made & 0x80000000u)) {
        made <<= 1;
        *exponent -= 1;
    }
    return made;
}

/* What 1.31 becomes when it is moved right: what falls out leaves a mark in the last bit, for the rounding. */
static uint32_t moved(uint32_t high, int shift)
{
    if (shift > 31) {
        return high != 0;
    }
    return shift == 0 ? high : (high >> shift) | ((high << (32 - shift)) != 0);
}

/* A number of a significand 1.31, whose last bit marks what is below it; halves go to even. */
static float rounded(uint32_t sign, int exponent, uint32_t high)
{
    uint32_t rest;
    if (exponent >= 255) {
        return real(sign | 0x7f800000);
    }
    if (exponent <= 0) { /* subnormal */
        high = moved(high, 1 - exponent);
        exponent = 0;
    }
    rest = high & 255;
    high >>= 8;
    if (rest > 128 || (rest == 128 && (high & 1))) {
        high++;
    }
    /* A carry out of the significand is one in the exponent. */
    return real(sign + (exponent == 0 ? high : ((uint32_t)exponent << 23) + (high - 0x800000)));
}

float __mulsf3(float a, float b)
{
    const uint32_t x = bits_of(a), y = bits_of(b);
    const uint32_t sign = (x ^ y) & 0x80000000u, p = x & 0x7fffffff, q = y & 0x7fffffff;
    uint32_t high, low;
    int first, second, exponent;
    if (p > 0x7f800000 || q > 0x7f800000) { /* NaN */
        return real(0x7fc00000);
    }
    if (p == 0x7f800000 || q == 0x7f800000) { /* infinite */
        return real(p == 0 || q == 0 ? 0x7fc00000 : sign | 0x7f800000);
    }
    if (p == 0 || q == 0) {
        return real(sign);
    }
    high = significand(x, &first);
    high = product(high, significand(y, &second), &low);
    exponent = first + second - 127;
    if (high & 0x80000000u) {
        exponent++;
    } else {
        high = (high << 1) | (low >> 31);
        low <<= 1;
    }
    return rounded(sign, exponent, high | (low != 0));
}

float __addsf3(float a, float b)
{
    uint32_t x = bits_of(a), y = bits_of(b), sign, high, other;
    int exponent, smaller;
    if ((x & 0x7fffffff) < (y & 0x7fffffff)) { /* the larger one first */
        const uint32_t swapped = x;
        x = y;
        y = swapped;
    }
    if ((x & 0x7fffffff) >= 0x7f800000) { /* infinite or NaN */
        return real((x & 0x7fffffff) > 0x7f800000 || y == (x ^ 0x80000000u) ? 0x7fc00000 : x);
    }
    if (((x | y) & 0x7fffffff) == 0) { /* only -0 and -0 is -0 */
        return real(x & y);
    }
    sign = x & 0x80000000u;
    /* One bit is kept free for the carry; the eight below the significand are enough for the mark. */
    high = significand(x, &exponent) >> 1;
    other = significand(y, &smaller) >> 1;
    other = moved(other, exponent - smaller);
    high = ((x ^ y) & 0x80000000u) ? high - other : high + other;
    if (high == 0) {
        return real(0);
    }
    exponent++;
    while (!(high & 0x80000000u)) {
        high <<= 1;
        exponent--;
    }
    return rounded(sign, exponent, high);
}

float __subsf3(float a, float b)
{
    return __addsf3(a, real(bits_of(b) ^ 0x80000000u));
}

float __floatunsisf(uint32_t a)
{
    int exponent = 158;
    if (a == 0) {
        return 0;
    }
    while (!(a & 0x80000000u)) {
        a <<= 1;
        exponent--;
    }
    return rounded(0, exponent, a);
}

float __floatsisf(int32_t a)
{
    const float made = __floatunsisf(a < 0 ? 0u - (uint32_t)a : (uint32_t)a);
    return a < 0 ? real(bits_of(made) | 0x80000000u) : made;
}
