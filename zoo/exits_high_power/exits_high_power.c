/* An int8 policy of 7-16-16-2 neurons. See exits_high_power.h. Written by EdgeRL 0.2.0; do not edit. */
#include "exits_high_power.h"

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

static const ROM struct feature features[EXITS_HIGH_POWER_FEATURES] = {
    {37157372, -168, 142},
    {60769744, -116, 143},
    {33734648, -225, 139},
    {33734656, -1835, 139},
    {60770672, -116, 143},
    {60769744, -116, 143},
    {66003844, -136, 143},
};

static const ROM int8_t weights_0[112] WEIGHTS = {
    25, -15, -47, -29, -28, -34, 0, -52, 0, -5, -5, -85, -18, -64, -81, -40,
    9, -2, 4, 1, 3, 1, -2, 6, 6, -6, -5, 0, 8, 4, 3, -3,
    -69, 12, -33, -40, 16, -52, 37, -40, -33, -19, 37, -48, -103, 60, 40, -20,
    -26, -17, -20, -87, -41, -17, 28, 73, -32, 49, 29, -21, -32, 4, 22, -28,
    14, -58, -91, 30, 1, -32, 7, -29, 3, 1, 0, 7, 2, 1, 7, -5,
    0, -5, -1, 11, -6, -3, -9, -2, 127, 76, 76, -86, 36, 75, -22, 95,
    25, -22, -29, -55, -32, 22, 32, 41, -22, 45, -4, 1, 31, 18, -41, 56,
};

static const ROM int32_t bias_0[16] ALIGNED = {
    3695, -18515, -22152, -36634, -808, -6071, -2504, -14208, 9603, 3912, -8368, 16893, -14095, 2286, -16245, 9320,
};

static const ROM struct scaling scaling_0[1] = {
    {1078705706, 65, 2, -2, 7},
};

static const ROM int8_t weights_1[256] WEIGHTS = {
    -15, -37, -44, 11, 64, 32, 12, -51, 24, -38, -3, 7, -17, 3, -39, 67,
    -60, -54, 7, 5, -61, 20, -34, 3, 5, 13, -3, -64, -63, 30, 10, -20,
    -7, -36, -10, 7, 70, 49, 24, 20, -34, -7, -39, -44, 23, -69, -12, 27,
    27, 39, -16, 2, 16, -2, 11, -20, 52, 39, 13, 86, -23, 51, 31, -2,
    31, 49, -62, 14, -14, -19, 13, 41, 13, -54, -16, 2, -32, 7, 127, 25,
    36, -8, 67, -16, -81, -11, 8, -29, -11, -97, -16, -14, 94, -57, -99, -37,
    -69, 43, -3, -19, 26, 65, -17, 18, -14, 3, -53, 11, -16, -4, 51, -83,
    3, 16, 66, -35, 45, -2, 19, -2, -41, 0, 29, 95, -36, -46, 65, -13,
    -9, -24, -78, 44, 5, 12, -71, -49, -68, 14, 11, -71, -29, 9, 36, -16,
    19, -16, 9, 52, -50, -31, 38, 32, -65, 54, 15, 40, 24, -11, -24, -31,
    -43, 10, -44, 50, 68, 0, -56, 89, -33, -105, -35, 75, 107, -25, -27, -3,
    8, 30, -5, -54, -1, -75, -67, 26, -22, -38, 8, 18, 23, -16, 27, -34,
    5, 51, -45, 34, -72, 12, 20, -20, 39, 45, -4, -45, -27, -48, 11, -15,
    25, 23, -66, -53, -15, 32, 22, 13, -19, -24, 3, 93, 70, -71, 1, -65,
    23, 15, -31, -29, 37, -35, 43, -28, -42, 11, 22, -42, -28, 12, 64, 27,
    -48, -43, -17, 23, -65, -53, 2, 3, -30, 90, -54, -24, -10, -13, -24, 0,
};

static const ROM int32_t bias_1[16] ALIGNED = {
    -4718, -6431, 0, -2288, 11094, -2626, -904, -1673, -2442, -3120, -520, 7572, 4954, 0, -4726, -6526,
};

static const ROM struct scaling scaling_1[1] = {
    {1290928319, 129, 2, -2, 8},
};

static const ROM int8_t weights_2[32] WEIGHTS = {
    -2, 3, 9, -10, 0, 0, -35, 35, 127, -126, 3, -3, -71, 69, 0, 1,
    -1, 0, -37, 37, -1, 2, 91, -91, 92, -93, 0, 0, 13, -13, -11, 11,
};

static const ROM int32_t bias_2[2] ALIGNED = {
    7916, -7916,
};

static const ROM struct scaling scaling_2[1] = {
    {1818002090, 513, 2, -2, 10},
};

static const ROM struct layer layers_0[2] = {
    {weights_0, bias_0, scaling_0, 7, 2, 0, 0, 255},
    {weights_1, bias_1, scaling_1, 16, 2, 0, 0, 255},
};

static const ROM struct layer layer_2 = {weights_2, bias_2, scaling_2, 16, 1, -1, -128, 127};

static const ROM float test_observations[EXITS_HIGH_POWER_TEST_VECTORS][EXITS_HIGH_POWER_FEATURES] = {
    {5.296478e-01f, 0.0e+00f, 5.2532736e-02f, 9.4746727e-01f, 3.9646912e-01f, 0.0e+00f, 4.99115e-01f},
    {2.0628357e-01f, 0.0e+00f, 5.2532736e-02f, 9.4746727e-01f, 1.8859863e-02f, 0.0e+00f, 8.956909e-02f},
    {5.6692505e-01f, 0.0e+00f, 5.2532736e-02f, 9.4746727e-01f, 2.0397949e-01f, 0.0e+00f, 4.3556213e-01f},
    {6.013489e-01f, 0.0e+00f, 5.2532736e-02f, 9.4746727e-01f, 4.3692017e-01f, 0.0e+00f, 5.4093933e-01f},
};

static const ROM exits_high_power_score test_scores[EXITS_HIGH_POWER_TEST_VECTORS][EXITS_HIGH_POWER_ACTIONS] = {
    {79, -80},
    {127, -128},
    {97, -99},
    {69, -71},
};

static const ROM uint8_t test_actions[EXITS_HIGH_POWER_TEST_VECTORS] = {
    0, 0, 0, 0,
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

FAST void exits_high_power_infer(const int8_t input[EXITS_HIGH_POWER_FEATURES], exits_high_power_score scores[EXITS_HIGH_POWER_ACTIONS])
{
    int16_t even[16];
    int16_t odd[16];
    int i;
    for (i = 0; i < EXITS_HIGH_POWER_FEATURES; i++) {
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
    for (i = 0; i < EXITS_HIGH_POWER_ACTIONS; i++) {
        int32_t score = odd[i];
        IN_REGISTER(score); /* else copying accumulators becomes a call of memcpy */
        scores[i] = (exits_high_power_score)score;
    }
}

/*
 * The float product gain * observation, rounded to 24 bits and then towards zero, without float arithmetic: the same on
 * every processor, whatever a compiler may contract and a floating-point unit may flush or round.
 */
FAST void exits_high_power_quantise(const float obs[EXITS_HIGH_POWER_FEATURES], int8_t input[EXITS_HIGH_POWER_FEATURES])
{
    const ROM struct feature *f = features;
    int i;
    FROM_FLASH(f);
    for (i = 0; i < EXITS_HIGH_POWER_FEATURES; i++, f++) {
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

int exits_high_power_argmax(const exits_high_power_score scores[EXITS_HIGH_POWER_ACTIONS])
{
    int best = 0;
    int i;
    for (i = 1; i < EXITS_HIGH_POWER_ACTIONS; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    return best;
}

int exits_high_power_act(const float obs[EXITS_HIGH_POWER_FEATURES])
{
    int8_t input[EXITS_HIGH_POWER_FEATURES];
    exits_high_power_score scores[EXITS_HIGH_POWER_ACTIONS];
    exits_high_power_quantise(obs, input);
    exits_high_power_infer(input, scores);
    return exits_high_power_argmax(scores);
}

/* Whether the action of a test vector's scores is another one. */
static int decides_otherwise(int vector, const exits_high_power_score scores[EXITS_HIGH_POWER_ACTIONS])
{
    return exits_high_power_argmax(scores) != test_actions[vector];
}
int exits_high_power_self_test(void)
{
    int failures = 0;
    int i;
    for (i = 0; i < EXITS_HIGH_POWER_TEST_VECTORS; i++) {
        float obs[EXITS_HIGH_POWER_FEATURES];
        int8_t input[EXITS_HIGH_POWER_FEATURES];
        exits_high_power_score scores[EXITS_HIGH_POWER_ACTIONS];
        int differs;
        int j;
        for (j = 0; j < EXITS_HIGH_POWER_FEATURES; j++) {
            float number = test_observations[i][j];
            IN_REGISTER(number); /* else copying becomes a call of memcpy */
            obs[j] = number;
        }
        exits_high_power_quantise(obs, input);
        exits_high_power_infer(input, scores);
        differs = decides_otherwise(i, scores);
        for (j = 0; j < EXITS_HIGH_POWER_ACTIONS; j++) {
            differs |= scores[j] != test_scores[i][j];
        }
        failures += differs;
    }
    return failures;
}
