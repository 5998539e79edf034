/* An int8 policy of 7-16-16-2 neurons. See exits_medium_power.h. Written by EdgeRL 0.2.0; do not edit. */
#include "exits_medium_power.h"

#if defined(__GNUC__) || defined(__clang__)
#define ALIGNED __attribute__((aligned(16)))
#else
#define ALIGNED
#endif

/*
 * Constants stay in flash also where the compiler would copy them into RAM: on an AVR by its address space, the weights
 * on an ESP8266 by a section whose words alone can be read.
 */
#if defined(__FLASH)
#define ROM __flash
#else
#define ROM
#endif
#if defined(ESP8266)
#define WEIGHTS __attribute__((section(".irom.text.edgerl"), aligned(16)))
typedef volatile uint32_t __attribute__((may_alias)) rom_word; /* else compilers load the one byte that they need */
#define WEIGHT(w, k) \
    ((int8_t)(*(const rom_word *)((uintptr_t)((w) + (k)) & ~(uintptr_t)3) >> (((uintptr_t)((w) + (k)) & 3) * 8)))
#else
#define WEIGHTS ALIGNED
#define WEIGHT(w, k) (w)[k]
#endif

/*
 * Optimised whatever the build's level is. GCC's first scheduling pass would spill the accumulators; on RISC-V the order
 * of loads, products and sums stays as it is written (GCC 12, 4-32-32-2 on VexRiscv: 3,920 cycles instead of 4,090), and
 * loops begin at whole words, since a core fetches words (4-16-16-2 on Ibex: 1,450 cycles instead of 1,500).
 */
#if defined(__GNUC__) && !defined(__clang__) && defined(__riscv)
#define FAST __attribute__((optimize("O2", "no-schedule-insns", "no-schedule-insns2", "no-tree-ter", "align-loops=4")))
#elif defined(__GNUC__) && !defined(__clang__)
#define FAST __attribute__((optimize("O2", "no-schedule-insns")))
#else
#define FAST
#endif

/* Keeps the compiler from narrowing a number to 16 bits before it is stored as such: two instructions each time. */
#if defined(__GNUC__) || defined(__clang__)
#define IN_REGISTER(number) __asm__("" : "+r"(number))
#define SELDOM(condition) (__builtin_expect((condition), 0) != 0)
#else
#define IN_REGISTER(number) (void)(number)
#define SELDOM(condition) (condition)
#endif

/*
 * avr-gcc follows a pointer to structures whose address it knows, forgets that it is one of flash, and reads RAM: so it
 * must not know it. It has few registers, and is better off with an inner loop in a function of its own.
 */
#if defined(__AVR__)
#define FROM_FLASH(pointer) IN_REGISTER(pointer)
#define KERNEL FAST __attribute__((noinline))
#else
#define FROM_FLASH(pointer) (void)(pointer)
#define KERNEL FAST
#endif

/* Two's complement and an arithmetic right shift, as on every target of int8 networks. */
typedef char requires_arithmetic_shift[(-3 >> 1) == -2 ? 1 : -1];

/*
 * How an accumulator becomes an output: times multiplier * 2^-n in TFLM's two roundings, which are
 * q = floor(accumulator * 2^left * multiplier / 2^32), then (q + rounding) >> shift.
 */
struct scaling {
    int32_t multiplier;
    int32_t rounding;
    uint8_t left;
    int8_t negative; /* added to the rounding where q < 0, so that halves go away from zero */
    uint8_t shift;
};

struct layer {
    const ROM int8_t *weights; /* block by block, input by input, output by output */
    const ROM int32_t *bias;
    const ROM struct scaling *scaling;
    int16_t inputs;
    int16_t blocks;
    int16_t zero; /* zero point of the scaled accumulator */
    int16_t low;
    int16_t high;
};


/* How an observation becomes half steps: its product with the feature's gain. */
struct feature {
    uint32_t factor; /* the gain's 24 significant bits, and two zeros */
    int16_t offset;
    int16_t exponent; /* less that of the observation, it is how far the product is shifted */
};

static const ROM struct feature features[EXITS_MEDIUM_POWER_FEATURES] = {
    {37157372, -168, 142},
    {60769744, -116, 143},
    {40481580, -225, 141},
    {40481584, -394, 141},
    {60770672, -116, 143},
    {60769744, -116, 143},
    {66003844, -136, 143},
};

static const ROM int8_t weights_0[112] WEIGHTS = {
    19, -6, -17, -14, -46, 8, 0, -32, 13, 2, -69, 28, -68, -24, 2, 29,
    1, -23, -12, -20, -4, -22, 3, 1, -25, 10, 6, -11, -12, 12, -13, -21,
    -18, 111, 64, 17, -3, 20, -1, -2, 29, 19, -34, 29, 17, 27, 19, 4,
    -8, 38, 0, -20, 20, 30, -27, 38, 9, -1, -26, 23, 39, 26, -4, 23,
    -67, -16, 13, 38, -37, -28, 12, -45, -3, 2, 1, 3, -5, -31, -8, 6,
    -6, 23, -12, 12, -7, -19, -14, -5, 74, -90, 0, -85, -35, 7, -50, 127,
    38, -24, -63, -67, -29, -21, 20, 16, 63, 16, 7, 52, -8, -10, 12, 35,
};

static const ROM int32_t bias_0[16] ALIGNED = {
    -11420, 13873, -7207, -7600, -16860, 5674, -8160, -7994, 11736, -1183, -15202, 9697, -14728, -16619, -11444, 15503,
};

static const ROM struct scaling scaling_0[1] = {
    {1789794370, 129, 2, -2, 8},
};

static const ROM int8_t weights_1[256] WEIGHTS = {
    -13, -31, 3, 11, -6, 4, -2, -12, 24, 30, -6, -37, -9, -32, 76, 42,
    21, 57, 81, -22, -2, -54, 14, 66, -4, -59, 2, -22, -35, -16, -48, -31,
    -47, 4, -1, -4, 23, -2, 6, 31, 28, -4, 44, 25, 22, -8, -15, 33,
    23, 21, 25, 26, -46, 17, -24, -42, 24, 34, -32, 3, -54, 13, -28, 27,
    -51, 8, 40, 14, -16, -49, 35, 67, -14, -13, -34, 88, -35, -62, 23, -51,
    7, 33, 19, 5, 23, -53, -30, -38, -25, -10, -20, 127, -31, 3, -11, -1,
    1, -4, 15, -55, -55, 3, -9, 45, -48, -3, 35, -13, -17, 20, 17, -10,
    -31, 37, -56, -19, 17, -10, -58, 12, -53, 85, 56, -41, -21, 0, 32, 0,
    41, -94, -9, -8, -25, -18, -19, 13, 97, 28, -24, 49, -17, -12, 51, 30,
    43, 8, -6, 24, -1, -4, -2, -39, 20, 33, -25, -16, -33, 4, 16, -8,
    -20, -2, 37, 17, -77, 45, 24, -7, 25, 27, -35, 57, -23, 7, -48, 35,
    -12, -2, 39, 51, -13, -31, 38, -13, 22, -12, -2, -4, 10, 67, -17, 8,
    62, 37, 38, 47, 50, -11, 1, 56, -44, -21, -12, 14, -16, 5, -51, -17,
    -16, -23, -13, -24, 1, 24, 40, 58, -41, -15, -51, -51, -35, -32, 1, -19,
    -38, -26, 1, -11, -5, -26, 8, 35, -4, -9, -58, 40, 39, 41, 32, -16,
    -4, -11, -38, 39, 1, -47, 1, -5, 95, 44, 5, 9, -16, -15, -38, 33,
};

static const ROM int32_t bias_1[16] ALIGNED = {
    -1049, -825, -1656, 5902, -150, -1091, -2267, -851, -1001, -1652, -678, -1819, -121, -790, -1142, -1680,
};

static const ROM struct scaling scaling_1[1] = {
    {1193796938, 129, 2, -2, 8},
};

static const ROM int8_t weights_2[32] WEIGHTS = {
    -4, 5, -61, 61, -64, 63, 127, -127, 0, -1, 0, 1, -73, 72, -57, 58,
    -98, 99, -60, 60, 7, -7, -73, 73, 3, -4, 9, -9, -4, 4, -56, 57,
};

static const ROM int32_t bias_2[2] ALIGNED = {
    4235, -4235,
};

static const ROM struct scaling scaling_2[1] = {
    {1943372339, 513, 2, -2, 10},
};

static const ROM struct layer layers_0[2] = {
    {weights_0, bias_0, scaling_0, 7, 2, 0, 0, 255},
    {weights_1, bias_1, scaling_1, 16, 2, 0, 0, 255},
};

static const ROM struct layer layer_2 = {weights_2, bias_2, scaling_2, 16, 1, -1, -128, 127};

static const ROM float test_observations[EXITS_MEDIUM_POWER_TEST_VECTORS][EXITS_MEDIUM_POWER_FEATURES] = {
    {5.296478e-01f, 0.0e+00f, 1.7510912e-01f, 8.2489085e-01f, 3.9646912e-01f, 0.0e+00f, 4.99115e-01f},
    {2.0628357e-01f, 0.0e+00f, 1.7510912e-01f, 8.2489085e-01f, 1.8859863e-02f, 0.0e+00f, 8.956909e-02f},
    {5.6692505e-01f, 0.0e+00f, 1.7510912e-01f, 8.2489085e-01f, 2.0397949e-01f, 0.0e+00f, 4.3556213e-01f},
    {6.013489e-01f, 0.0e+00f, 1.7510912e-01f, 8.2489085e-01f, 4.3692017e-01f, 0.0e+00f, 5.4093933e-01f},
};

static const ROM exits_medium_power_score test_scores[EXITS_MEDIUM_POWER_TEST_VECTORS][EXITS_MEDIUM_POWER_ACTIONS] = {
    {-15, 13},
    {33, -35},
    {19, -21},
    {-23, 21},
};

static const ROM uint8_t test_actions[EXITS_MEDIUM_POWER_TEST_VECTORS] = {
    1, 0, 0, 1,
};

/* floor(a * b / 2^32) */
FAST static inline uint32_t upper_product(uint32_t a, uint32_t b)
{
#if defined(__AVR__)
    uint32_t upper;
    uint8_t x, y, z, zero;
    __asm__(
            "clr %[zero]\n"
            "clr %[x]\n"
            "clr %[y]\n"
            "clr %[z]\n"
            "mul %A[a], %A[b]\n"
            "add %[x], r0\n"
            "adc %[y], r1\n"
            "adc %[z], %[zero]\n"
            "clr %[x]\n"
            "mul %A[a], %B[b]\n"
            "add %[y], r0\n"
            "adc %[z], r1\n"
            "adc %[x], %[zero]\n"
            "mul %B[a], %A[b]\n"
            "add %[y], r0\n"
            "adc %[z], r1\n"
            "adc %[x], %[zero]\n"
            "clr %[y]\n"
            "mul %A[a], %C[b]\n"
            "add %[z], r0\n"
            "adc %[x], r1\n"
            "adc %[y], %[zero]\n"
            "mul %B[a], %B[b]\n"
            "add %[z], r0\n"
            "adc %[x], r1\n"
            "adc %[y], %[zero]\n"
            "mul %C[a], %A[b]\n"
            "add %[z], r0\n"
            "adc %[x], r1\n"
            "adc %[y], %[zero]\n"
            "clr %[z]\n"
            "mul %A[a], %D[b]\n"
            "add %[x], r0\n"
            "adc %[y], r1\n"
            "adc %[z], %[zero]\n"
            "mul %B[a], %C[b]\n"
            "add %[x], r0\n"
            "adc %[y], r1\n"
            "adc %[z], %[zero]\n"
            "mul %C[a], %B[b]\n"
            "add %[x], r0\n"
            "adc %[y], r1\n"
            "adc %[z], %[zero]\n"
            "mul %D[a], %A[b]\n"
            "add %[x], r0\n"
            "adc %[y], r1\n"
            "adc %[z], %[zero]\n"
            "clr %[x]\n"
            "mul %B[a], %D[b]\n"
            "add %[y], r0\n"
            "adc %[z], r1\n"
            "adc %[x], %[zero]\n"
            "mul %C[a], %C[b]\n"
            "add %[y], r0\n"
            "adc %[z], r1\n"
            "adc %[x], %[zero]\n"
            "mul %D[a], %B[b]\n"
            "add %[y], r0\n"
            "adc %[z], r1\n"
            "adc %[x], %[zero]\n"
            "mov %A[upper], %[y]\n"
            "clr %[y]\n"
            "mul %C[a], %D[b]\n"
            "add %[z], r0\n"
            "adc %[x], r1\n"
            "adc %[y], %[zero]\n"
            "mul %D[a], %C[b]\n"
            "add %[z], r0\n"
            "adc %[x], r1\n"
            "adc %[y], %[zero]\n"
            "mov %B[upper], %[z]\n"
            "clr %[z]\n"
            "mul %D[a], %D[b]\n"
            "add %[x], r0\n"
            "adc %[y], r1\n"
            "adc %[z], %[zero]\n"
            "mov %C[upper], %[x]\n"
            "clr %[x]\n"
            "mov %D[upper], %[y]\n"
            "clr r1\n"
            : [upper] "=&r"(upper), [x] "=&r"(x), [y] "=&r"(y), [z] "=&r"(z), [zero] "=&r"(zero)
            : [a] "r"(a), [b] "r"(b)
            : "r0");
    return upper;
#elif defined(__AVR__) || defined(__ARM_ARCH_6M__) || defined(__XTENSA__)
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
}

/* floor(a * b / 2^32), b >= 0. */
FAST static inline int32_t upper_half(int32_t a, int32_t b)
{
#if defined(__AVR__) || defined(__ARM_ARCH_6M__) || defined(__XTENSA__)
    const uint32_t upper = upper_product((uint32_t)a, (uint32_t)b);
    return (int32_t)(a < 0 ? upper - (uint32_t)b : upper);
#else
    return (int32_t)(((int64_t)a * b) >> 32);
#endif
}

FAST static inline int32_t shifted(int32_t y, uint8_t shift)
{
#if defined(__AVR__) /* which shifts by one bit at a time, but moves bytes */
    while (shift >= 8) {
        y >>= 8;
        shift = (uint8_t)(shift - 8);
    }
#endif
    return y >> shift;
}

FAST static inline int32_t scaled(int32_t accumulator, struct scaling s)
{
    const uint32_t moved = (uint32_t)accumulator << s.left;
    const int32_t q = upper_half((int32_t)moved, s.multiplier);
    return shifted(q + s.rounding + ((q >> 31) & s.negative), s.shift);
}

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
}

FAST static inline int32_t score(int32_t accumulator, struct scaling s, const ROM struct layer *l)
{
    const int32_t y = scaled(accumulator, s) + l->zero;
    return y < l->low ? l->low : y > l->high ? l->high : y;
}

#if defined(__AVR__)
KERNEL static void dense_8_relu(const ROM struct layer *l, const int16_t *x, int16_t *y)
{
    const int16_t *const end = x + l->inputs;
    const ROM int8_t *block = l->weights;
    const ROM int32_t *bias = l->bias;
    int blocks = l->blocks;
    int part = 0;
    do {
        const int16_t *p = x;
        const ROM int8_t *w = block + part;
        int32_t a0 = bias[0];
        int32_t a1 = bias[1];
        do {
            const int v0 = p[0];
            if (v0 != 0) {
                const ROM int8_t *q = w;
                int t0 = *q++;
                int t1 = *q++;
                a0 += t0 * v0;
                a1 += t1 * v0;
            }
            p += 1;
            w += 8;
        } while (p != end);
        {
            const struct scaling s = *l->scaling;
            const int32_t high = l->high;
            y[0] = (int16_t)(relu(a0, s, high));
            y[1] = (int16_t)(relu(a1, s, high));
        }
        bias += 2;
        y += 2;
        part += 2;
        if (part == 8) {
            part = 0;
            block += (uint16_t)l->inputs * 8u;
            blocks--;
        }
    } while (blocks != 0);
}
#else
KERNEL static void dense_8_relu(const ROM struct layer *l, const int16_t *x, int16_t *y)
{
    const int16_t *const end = x + l->inputs;
    const ROM int8_t *w = l->weights;
    const ROM int32_t *bias = l->bias;
    int blocks = l->blocks;
    do {
        const int16_t *p = x;
        int32_t a0 = bias[0];
        int32_t a1 = bias[1];
        int32_t a2 = bias[2];
        int32_t a3 = bias[3];
        int32_t a4 = bias[4];
        int32_t a5 = bias[5];
        int32_t a6 = bias[6];
        int32_t a7 = bias[7];
        do {
            const int v0 = p[0];
            if (v0 != 0) {
                {
                    int t0 = WEIGHT(w, 0);
                    int t1 = WEIGHT(w, 1);
                    int t2 = WEIGHT(w, 2);
                    int t3 = WEIGHT(w, 3);
                    t0 *= v0;
                    t1 *= v0;
                    t2 *= v0;
                    t3 *= v0;
                    a0 += t0;
                    a1 += t1;
                    a2 += t2;
                    a3 += t3;
                }
                {
                    int t4 = WEIGHT(w, 4);
                    int t5 = WEIGHT(w, 5);
                    int t6 = WEIGHT(w, 6);
                    int t7 = WEIGHT(w, 7);
                    t4 *= v0;
                    t5 *= v0;
                    t6 *= v0;
                    t7 *= v0;
                    a4 += t4;
                    a5 += t5;
                    a6 += t6;
                    a7 += t7;
                }
            }
            p += 1;
            w += 8;
        } while (p != end);
        {
            const struct scaling s = *l->scaling;
            const int32_t high = l->high;
            y[0] = (int16_t)(relu(a0, s, high));
            y[1] = (int16_t)(relu(a1, s, high));
            y[2] = (int16_t)(relu(a2, s, high));
            y[3] = (int16_t)(relu(a3, s, high));
            y[4] = (int16_t)(relu(a4, s, high));
            y[5] = (int16_t)(relu(a5, s, high));
            y[6] = (int16_t)(relu(a6, s, high));
            y[7] = (int16_t)(relu(a7, s, high));
        }
        bias += 8;
        y += 8;
        blocks--;
    } while (blocks != 0);
}
#endif

KERNEL static void dense_2_scores(const ROM struct layer *l, const int16_t *x, int16_t *y)
{
    const int16_t *const end = x + l->inputs;
    const ROM int8_t *w = l->weights;
    const ROM int32_t *bias = l->bias;
    int blocks = l->blocks;
    do {
        const int16_t *p = x;
        int32_t a0 = bias[0];
        int32_t a1 = bias[1];
        do {
            const int v0 = p[0];
            const int v1 = p[1];
            if (v0 != 0) {
                {
                    int t0 = WEIGHT(w, 0);
                    int t1 = WEIGHT(w, 1);
                    t0 *= v0;
                    t1 *= v0;
                    a0 += t0;
                    a1 += t1;
                }
            }
            if (v1 != 0) {
                {
                    int t0 = WEIGHT(w, 2);
                    int t1 = WEIGHT(w, 3);
                    t0 *= v1;
                    t1 *= v1;
                    a0 += t0;
                    a1 += t1;
                }
            }
            p += 2;
            w += 4;
        } while (p != end);
        {
            const struct scaling s = *l->scaling;
            y[0] = (int16_t)(score(a0, s, l));
            y[1] = (int16_t)(score(a1, s, l));
        }
        bias += 2;
        y += 2;
        blocks--;
    } while (blocks != 0);
}

FAST void exits_medium_power_infer(const int8_t input[EXITS_MEDIUM_POWER_FEATURES], exits_medium_power_score scores[EXITS_MEDIUM_POWER_ACTIONS])
{
    int16_t even[16];
    int16_t odd[16];
    int i;
    for (i = 0; i < EXITS_MEDIUM_POWER_FEATURES; i++) {
        even[i] = input[i];
    }
    {
        const ROM struct layer *l = layers_0;
        int16_t *from = even;
        int16_t *to = odd;
        FROM_FLASH(l);
        do {
            int16_t *const other = from;
            dense_8_relu(l, from, to);
            from = to;
            to = other;
            l++;
        } while (l != layers_0 + 2);
    }
    dense_2_scores(&layer_2, even, odd);
    for (i = 0; i < EXITS_MEDIUM_POWER_ACTIONS; i++) {
        int32_t score = odd[i];
        IN_REGISTER(score); /* else copying accumulators becomes a call of memcpy */
        scores[i] = (exits_medium_power_score)score;
    }
}

/*
 * The float product gain * observation, rounded to 24 bits and then towards zero, without float arithmetic: the same on
 * every processor, whatever a compiler may contract and a floating-point unit may flush or round.
 */
FAST void exits_medium_power_quantise(const float obs[EXITS_MEDIUM_POWER_FEATURES], int8_t input[EXITS_MEDIUM_POWER_FEATURES])
{
    const ROM struct feature *f = features;
    int i;
    FROM_FLASH(f);
    for (i = 0; i < EXITS_MEDIUM_POWER_FEATURES; i++, f++) {
        union {
            float number;
            uint32_t bits;
        } x;
        uint32_t product; /* of two significands, of 25 or 26 bits */
        int32_t q;
        int exponent;
        int shift;
        x.number = obs[i];
        exponent = (int)((uint16_t)(x.bits >> 16) >> 7) & 0xFF; /* and below: 8-bit processors move bytes, but shift bits */
        product = upper_product((x.bits << 8) | 0x80000000u, f->factor);
        shift = f->exponent - exponent;
        if ((unsigned)(exponent - 1) < 254u && (unsigned)(shift - 6) < 26u) {
            /* Rounding to 24 bits matters where it reaches a whole number: with half a unit more, floor reaches it. */
            q = shifted((int32_t)(product + 1u + ((uint8_t)(product >> 24) >> 1)), (uint8_t)shift);
        } else {
            /* 0, a subnormal number, NaN, or a product below a half step; else 2^20 half steps or more */
            const uint32_t size = x.bits & 0x7FFFFFFFu;
            q = size < 0x00800000u || size > 0x7F800000u || (size != 0x7F800000u && shift > 31) ? 0 : 0x100000;
        }
        q = (q + 1) >> 1;
        q = (x.bits >> 31 ? -q : q) + f->offset;
        q = q < -128 ? -128 : q > 127 ? 127 : q;
        IN_REGISTER(q);
        input[i] = (int8_t)q;
    }
}

int exits_medium_power_argmax(const exits_medium_power_score scores[EXITS_MEDIUM_POWER_ACTIONS])
{
    int best = 0;
    int i;
    for (i = 1; i < EXITS_MEDIUM_POWER_ACTIONS; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    return best;
}

int exits_medium_power_act(const float obs[EXITS_MEDIUM_POWER_FEATURES])
{
    int8_t input[EXITS_MEDIUM_POWER_FEATURES];
    exits_medium_power_score scores[EXITS_MEDIUM_POWER_ACTIONS];
    exits_medium_power_quantise(obs, input);
    exits_medium_power_infer(input, scores);
    return exits_medium_power_argmax(scores);
}

/* Whether the action of a test vector's scores is another one. */
static int decides_otherwise(int vector, const exits_medium_power_score scores[EXITS_MEDIUM_POWER_ACTIONS])
{
    return exits_medium_power_argmax(scores) != test_actions[vector];
}
int exits_medium_power_self_test(void)
{
    int failures = 0;
    int i;
    for (i = 0; i < EXITS_MEDIUM_POWER_TEST_VECTORS; i++) {
        float obs[EXITS_MEDIUM_POWER_FEATURES];
        int8_t input[EXITS_MEDIUM_POWER_FEATURES];
        exits_medium_power_score scores[EXITS_MEDIUM_POWER_ACTIONS];
        int differs;
        int j;
        for (j = 0; j < EXITS_MEDIUM_POWER_FEATURES; j++) {
            float number = test_observations[i][j];
            IN_REGISTER(number); /* else copying becomes a call of memcpy */
            obs[j] = number;
        }
        exits_medium_power_quantise(obs, input);
        exits_medium_power_infer(input, scores);
        differs = decides_otherwise(i, scores);
        for (j = 0; j < EXITS_MEDIUM_POWER_ACTIONS; j++) {
            differs |= scores[j] != test_scores[i][j];
        }
        failures += differs;
    }
    return failures;
}
