/* An int8 policy of 3-32-32-1 neurons. See pendulum.h. Written by EdgeRL 0.2.0; do not edit. */
#include "pendulum.h"

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

static const ROM struct feature features[PENDULUM_FEATURES] = {
    {60772252, -1, 144},
    {60773268, 0, 144},
    {63698940, 2, 147},
};

static const ROM int8_t weights_0[96] WEIGHTS = {
    22, -10, -18, -34, -68, -15, -13, 22, -56, 36, 22, 9, 2, 17, 99, 24,
    -29, 24, -13, -69, -24, -11, 26, -29, 71, 10, 53, -26, -26, 45, -43, 106,
    62, 87, -114, -62, 28, 98, 127, -50, -1, 75, 49, 89, 95, -18, 21, 48,
    106, -23, 74, 26, -28, 29, -16, 60, 21, -19, 57, 23, -21, -53, -38, 8,
    60, 12, 13, -51, -16, -51, 10, 27, -70, -76, -18, -53, 62, 25, -58, -59,
    -11, 87, 62, -108, -121, -118, 125, -75, -36, -57, 86, -91, 30, -18, -65, 4,
};

static const ROM int32_t bias_0[32] ALIGNED = {
    12, 286, 1550, 2352, 3771, 1035, 404, -641, 2335, -1485, -284, 279, 466, -1299, 1748, 929,
    445, 1647, -1100, -594, 2111, -919, 648, 2497, 2604, 2770, -708, -575, -741, 2400, 5271, 1492,
};

static const ROM struct scaling scaling_0[1] = {
    {1832809127, 65, 2, -2, 7},
};

static const ROM int8_t weights_1[1024] WEIGHTS = {
    -10, 15, -15, 41, 2, 25, 3, 8, 13, 2, 41, -41, 25, 44, 31, -52,
    5, -39, -16, -104, -51, -16, -13, -11, 27, 2, 0, -41, 20, -21, -37, -103,
    -5, 2, 68, 32, -23, -62, -21, 9, -27, -12, -32, -37, 55, -42, 15, -1,
    8, 21, -63, 3, -46, -2, 14, -17, -58, -80, -15, 40, -22, 0, 37, -13,
    32, 10, -27, 63, -23, -5, 25, -27, -36, 31, 5, 5, -42, -45, 20, -13,
    39, 9, 5, 21, -22, -5, -58, -36, 48, 15, -9, -17, 41, -24, -30, -34,
    7, -1, -78, -83, -27, -22, -82, -73, 28, -4, 5, -36, 43, -1, -64, -15,
    -15, 98, 30, -45, 33, -44, -42, -4, -1, -36, -25, -13, -14, 6, -4, -21,
    40, -28, -31, 22, -9, -24, -8, 20, 13, -43, -49, 75, 24, -34, 69, 8,
    -41, -52, -20, 1, -26, -2, 31, -57, -4, 51, 39, 36, 12, 16, 75, 38,
    -19, -27, -56, 18, -42, 42, 37, -6, -13, -50, 5, 14, 29, -35, 40, 10,
    5, -35, -14, -1, -24, 16, -29, -79, 5, -15, -49, -6, 13, 25, -45, -36,
    31, 53, -5, -74, -33, 8, -42, 4, 17, 26, 39, 17, 11, -6, 19, -50,
    3, 9, -35, -5, -19, 5, -15, 19, -11, 51, -33, 31, -8, -23, -67, -14,
    11, 55, 55, 24, 26, -32, 47, -10, -19, 24, 25, 63, 26, 21, -28, -3,
    -12, -30, -33, 38, -79, -6, 29, -44, 75, 44, 15, 9, -16, 37, 27, 42,
    70, -29, 14, 3, 15, 31, -10, -24, 9, 33, 54, 30, 50, -7, 20, 10,
    35, -13, -55, -66, -44, -81, -50, -1, -57, 17, -7, -34, -41, -12, -29, -9,
    -13, -1, -33, 37, -1, 39, -24, 36, 27, 75, -13, 5, -4, 7, 41, -37,
    116, 55, 34, -37, 49, -25, -21, 17, -79, -98, -44, -73, -38, 98, -68, -47,
    -61, 4, 33, 13, -51, 11, 31, 41, -14, -21, -36, 5, 16, -17, 11, 56,
    72, 24, 79, -70, 21, -86, -34, 2, -82, -91, -45, -114, -68, 15, -57, -42,
    15, -34, -14, -66, 28, -14, 5, -66, 26, 39, -46, -73, -1, -59, 7, -49,
    70, 67, 47, -12, -28, 51, -7, -41, 27, -6, 1, -25, -23, 6, -10, 4,
    48, 33, -50, -9, 78, -12, -38, 12, -14, 4, -14, -47, -3, 35, 6, 22,
    39, 31, -76, 9, 17, -75, 103, 41, -1, -38, -34, 5, 0, -11, -25, 37,
    -9, 14, -15, -4, 6, -5, -22, -9, 71, -18, 14, -27, -3, -11, 22, 7,
    94, 21, 55, -62, 33, -41, -9, 24, -14, -67, -71, -5, -109, 31, -46, -41,
    6, -9, -54, 14, 4, 22, 47, -11, -37, -40, -2, -15, -21, -83, -9, 15,
    26, 3, 14, 28, -52, -7, 9, 66, 9, -52, 9, -7, -35, -40, 5, 46,
    27, 16, 16, 43, 27, -72, 18, 61, -35, -71, -127, 8, -32, 20, 17, 59,
    20, 38, 20, -44, 2, 58, 8, 23, -13, 52, -44, -23, 25, 31, 18, 50,
    27, 15, -30, -45, 43, 11, -12, -10, 64, 46, -28, -36, 0, 45, 59, -40,
    23, -10, -3, -37, 3, 81, -51, 5, -47, -20, 9, 7, 21, -2, -19, -69,
    -66, 53, 37, 30, 3, -1, 54, 68, 26, -29, 21, -48, 18, -112, -14, 11,
    3, -79, 59, -56, -74, -102, 4, 8, -20, -53, -49, 26, 7, -18, -60, 28,
    50, 4, -16, 4, -4, 29, 61, -46, -31, 0, 20, 41, 21, 28, -65, 17,
    29, -56, -40, 8, 56, 5, -97, -58, -17, -18, 24, 34, -36, 27, 23, 8,
    34, 48, -78, -74, 21, -27, -35, -37, -41, 39, 42, -15, 19, -28, 1, -46,
    23, -86, 6, -33, -27, 10, 36, 19, -23, 30, 42, 34, 10, 32, 4, -1,
    53, 23, 6, 32, -8, -3, 7, 15, -4, -4, -25, 13, 21, 20, -41, -61,
    -10, 2, -38, 11, 77, 60, 6, -4, -5, 19, -17, -63, 10, -74, 81, 34,
    50, 62, -26, 5, -24, 37, -34, -25, 29, -51, 62, 39, -38, -5, 36, 14,
    -32, 31, -35, 35, -7, 36, -7, -32, -14, 36, -14, 5, -25, 62, 65, -27,
    5, 62, -15, 13, 22, 15, -19, -27, -10, 33, -1, 3, -91, 51, 35, 27,
    32, 7, -31, -22, -8, 29, -1, 41, 17, -30, -24, -49, -54, -41, 29, -31,
    -4, 43, 2, -21, 10, -9, -38, -41, -16, -16, -1, -10, 14, 36, -1, -28,
    37, 41, 41, 21, -43, 19, -3, 0, 43, -24, 25, -2, -28, -12, 7, -45,
    -49, -27, -16, -16, -27, 21, 17, -11, 46, 16, 13, -30, -40, 27, 30, -4,
    -14, 7, -30, -32, 31, 15, -85, -12, 1, 24, 23, 64, -13, 27, 15, -79,
    -32, 30, 4, 29, -3, -5, -52, -30, -6, 44, 40, -24, 15, -26, 26, -6,
    -21, -79, -9, -18, -9, -52, 4, 29, -100, -4, 47, -7, -56, -22, -82, -26,
    -94, -11, 9, 0, 35, 3, 22, 52, -29, 11, 51, -90, 2, -14, -69, 12,
    29, -80, -11, 7, -102, -94, -50, 19, -69, 14, 15, -95, -9, 19, -106, 34,
    19, 17, -58, -64, 28, -28, -48, 25, -72, 14, 17, 42, -66, 16, 23, -62,
    -33, 36, -16, -4, 42, 27, -44, 51, -8, 19, -24, 6, 29, 16, 44, -3,
    11, -14, 67, -1, 11, 11, 21, 0, -34, -52, 3, -20, 41, 90, -21, 38,
    6, -61, -5, 10, -68, -37, 20, 14, -12, 1, -12, 27, 41, 5, -51, 48,
    -53, 35, -54, -7, 44, 50, -6, -62, 36, -16, -53, -20, -43, -5, -17, -17,
    -10, -56, 13, -49, 12, -85, 36, 1, 13, -44, 71, -23, 23, 31, -40, 28,
    15, -14, 87, 42, 15, -9, 19, -69, 18, 1, 6, -9, 0, -15, 0, -36,
    29, -15, 3, 23, -62, -43, 52, -5, -49, -86, 19, 6, 15, 6, 18, -56,
    15, -45, 69, -79, -70, 3, 27, -46, -28, 2, -15, 19, 9, 3, -50, 45,
    28, -3, 5, 22, -4, -5, 28, -77, 34, -5, -41, 43, 28, 24, -13, -6,
};

static const ROM int32_t bias_1[32] ALIGNED = {
    3163, -396, -899, 2554, 1508, 1095, 1964, 4677, 1376, -2517, 571, 3575, -1646, 1121, 407, 1833,
    5351, 555, 3763, 2730, -894, -842, 2967, -3181, 2094, -1680, -183, 5667, 1762, 4904, -988, 1540,
};

static const ROM struct scaling scaling_1[1] = {
    {2116040404, 257, 2, -2, 9},
};

static const ROM int8_t weights_2[32] WEIGHTS = {
    71, 48, 112, -108, 83, -74, -75, -64, -76, -112, -60, -119, -50, 47, -81, -56,
    77, -88, -82, -51, -90, -93, -71, 78, -109, -59, 41, 89, -55, 81, -127, -78,
};

static const ROM int32_t bias_2[1] ALIGNED = {
    2800,
};

static const ROM struct scaling scaling_2[1] = {
    {1289127331, 129, 2, -2, 8},
};

static const ROM struct layer layers_0[2] = {
    {weights_0, bias_0, scaling_0, 3, 2, 0, 0, 255},
    {weights_1, bias_1, scaling_1, 32, 2, 0, 0, 255},
};

static const ROM struct layer layer_2 = {weights_2, bias_2, scaling_2, 32, 1, 0, -128, 127};

static const ROM float test_observations[PENDULUM_TEST_VECTORS][PENDULUM_FEATURES] = {
    {9.9985904e-01f, -1.6787272e-02f, 1.7801315e-01f},
    {9.9875796e-01f, -4.9824107e-02f, 3.368263e-03f},
    {9.9984264e-01f, -1.7736208e-02f, -2.578193e-01f},
    {9.9994564e-01f, -1.0420558e-02f, 1.2272656e-02f},
    {9.6528524e-01f, 2.6119798e-01f, 1.0619488e-01f},
    {9.9992913e-01f, 1.1899453e-02f, -7.030028e-02f},
    {9.995717e-01f, -2.9263625e-02f, 3.8422365e-02f},
};

static const ROM pendulum_score test_scores[PENDULUM_TEST_VECTORS][PENDULUM_ACTIONS] = {
    {-29},
    {38},
    {61},
    {4},
    {-128},
    {2},
    {6},
};

static const ROM int32_t action_first[PENDULUM_ACTIONS] = {
    -8388608,
};

static const ROM int32_t action_step[PENDULUM_ACTIONS] = {
    65536,
};

static const ROM float action_unit[PENDULUM_ACTIONS] = {
    2.3841858e-07f,
};

static const ROM float test_actions[PENDULUM_TEST_VECTORS][PENDULUM_ACTIONS] = {
    {-4.53125e-01f},
    {5.9375e-01f},
    {9.53125e-01f},
    {6.25e-02f},
    {-2.0e+00f},
    {3.125e-02f},
    {9.375e-02f},
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
KERNEL static void dense_16_relu(const ROM struct layer *l, const int16_t *x, int16_t *y)
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
            w += 16;
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
        if (part == 16) {
            part = 0;
            block += (uint16_t)l->inputs * 16u;
            blocks--;
        }
    } while (blocks != 0);
}
#elif defined(__arm__)
KERNEL static void dense_16_relu(const ROM struct layer *l, const int16_t *x, int16_t *y)
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
            w += 16;
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
        part += 8;
        if (part == 16) {
            part = 0;
            block += (uint16_t)l->inputs * 16u;
            blocks--;
        }
    } while (blocks != 0);
}
#else
KERNEL static void dense_16_relu(const ROM struct layer *l, const int16_t *x, int16_t *y)
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
        int32_t a8 = bias[8];
        int32_t a9 = bias[9];
        int32_t a10 = bias[10];
        int32_t a11 = bias[11];
        int32_t a12 = bias[12];
        int32_t a13 = bias[13];
        int32_t a14 = bias[14];
        int32_t a15 = bias[15];
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
                {
                    int t8 = WEIGHT(w, 8);
                    int t9 = WEIGHT(w, 9);
                    int t10 = WEIGHT(w, 10);
                    int t11 = WEIGHT(w, 11);
                    t8 *= v0;
                    t9 *= v0;
                    t10 *= v0;
                    t11 *= v0;
                    a8 += t8;
                    a9 += t9;
                    a10 += t10;
                    a11 += t11;
                }
                {
                    int t12 = WEIGHT(w, 12);
                    int t13 = WEIGHT(w, 13);
                    int t14 = WEIGHT(w, 14);
                    int t15 = WEIGHT(w, 15);
                    t12 *= v0;
                    t13 *= v0;
                    t14 *= v0;
                    t15 *= v0;
                    a12 += t12;
                    a13 += t13;
                    a14 += t14;
                    a15 += t15;
                }
            }
            p += 1;
            w += 16;
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
            y[8] = (int16_t)(relu(a8, s, high));
            y[9] = (int16_t)(relu(a9, s, high));
            y[10] = (int16_t)(relu(a10, s, high));
            y[11] = (int16_t)(relu(a11, s, high));
            y[12] = (int16_t)(relu(a12, s, high));
            y[13] = (int16_t)(relu(a13, s, high));
            y[14] = (int16_t)(relu(a14, s, high));
            y[15] = (int16_t)(relu(a15, s, high));
        }
        bias += 16;
        y += 16;
        blocks--;
    } while (blocks != 0);
}
#endif

KERNEL static void dense_1_scores(const ROM struct layer *l, const int16_t *x, int16_t *y)
{
    const int16_t *const end = x + l->inputs;
    const ROM int8_t *w = l->weights;
    const ROM int32_t *bias = l->bias;
    int blocks = l->blocks;
    do {
        const int16_t *p = x;
        int32_t a0 = bias[0];
        do {
            const int v0 = p[0];
            const int v1 = p[1];
            const int v2 = p[2];
            const int v3 = p[3];
            {
                int t0 = WEIGHT(w, 0);
                t0 *= v0;
                a0 += t0;
            }
            {
                int t0 = WEIGHT(w, 1);
                t0 *= v1;
                a0 += t0;
            }
            {
                int t0 = WEIGHT(w, 2);
                t0 *= v2;
                a0 += t0;
            }
            {
                int t0 = WEIGHT(w, 3);
                t0 *= v3;
                a0 += t0;
            }
            p += 4;
            w += 4;
        } while (p != end);
        {
            const struct scaling s = *l->scaling;
            y[0] = (int16_t)(score(a0, s, l));
        }
        bias += 1;
        y += 1;
        blocks--;
    } while (blocks != 0);
}

FAST void pendulum_infer(const int8_t input[PENDULUM_FEATURES], pendulum_score scores[PENDULUM_ACTIONS])
{
    int16_t even[32];
    int16_t odd[32];
    int i;
    for (i = 0; i < PENDULUM_FEATURES; i++) {
        even[i] = input[i];
    }
    {
        const ROM struct layer *l = layers_0;
        int16_t *from = even;
        int16_t *to = odd;
        FROM_FLASH(l);
        do {
            int16_t *const other = from;
            dense_16_relu(l, from, to);
            from = to;
            to = other;
            l++;
        } while (l != layers_0 + 2);
    }
    dense_1_scores(&layer_2, even, odd);
    for (i = 0; i < PENDULUM_ACTIONS; i++) {
        int32_t score = odd[i];
        IN_REGISTER(score); /* else copying accumulators becomes a call of memcpy */
        scores[i] = (pendulum_score)score;
    }
}

/*
 * The float product gain * observation, rounded to 24 bits and then towards zero, without float arithmetic: the same on
 * every processor, whatever a compiler may contract and a floating-point unit may flush or round.
 */
FAST void pendulum_quantise(const float obs[PENDULUM_FEATURES], int8_t input[PENDULUM_FEATURES])
{
    const ROM struct feature *f = features;
    int i;
    FROM_FLASH(f);
    for (i = 0; i < PENDULUM_FEATURES; i++, f++) {
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

/* A whole number below 2^24 times a power of two: exact, so that there is nothing to contract or round. */
void pendulum_action(const pendulum_score scores[PENDULUM_ACTIONS], float action[PENDULUM_ACTIONS])
{
    int i;
    for (i = 0; i < PENDULUM_ACTIONS; i++) {
        const int32_t whole = action_first[i] + ((int32_t)scores[i] + 128) * action_step[i];
        action[i] = (float)whole * action_unit[i];
    }
}

void pendulum_q15(const pendulum_score scores[PENDULUM_ACTIONS], int16_t action[PENDULUM_ACTIONS])
{
    int i;
    for (i = 0; i < PENDULUM_ACTIONS; i++) {
        action[i] = (int16_t)(scores[i] * 256);
    }
}

void pendulum_act(const float obs[PENDULUM_FEATURES], float action[PENDULUM_ACTIONS])
{
    int8_t input[PENDULUM_FEATURES];
    pendulum_score scores[PENDULUM_ACTIONS];
    pendulum_quantise(obs, input);
    pendulum_infer(input, scores);
    pendulum_action(scores, action);
}

/* Whether the action of a test vector's scores is another one, in either form. */
static int decides_otherwise(int vector, const pendulum_score scores[PENDULUM_ACTIONS])
{
    float action[PENDULUM_ACTIONS];
    int16_t q15[PENDULUM_ACTIONS];
    int differs = 0;
    int i;
    pendulum_action(scores, action);
    pendulum_q15(scores, q15);
    for (i = 0; i < PENDULUM_ACTIONS; i++) {
        float expected = test_actions[vector][i];
        differs |= action[i] < expected || action[i] > expected || q15[i] != scores[i] * 256;
    }
    return differs;
}
int pendulum_self_test(void)
{
    int failures = 0;
    int i;
    for (i = 0; i < PENDULUM_TEST_VECTORS; i++) {
        float obs[PENDULUM_FEATURES];
        int8_t input[PENDULUM_FEATURES];
        pendulum_score scores[PENDULUM_ACTIONS];
        int differs;
        int j;
        for (j = 0; j < PENDULUM_FEATURES; j++) {
            float number = test_observations[i][j];
            IN_REGISTER(number); /* else copying becomes a call of memcpy */
            obs[j] = number;
        }
        pendulum_quantise(obs, input);
        pendulum_infer(input, scores);
        differs = decides_otherwise(i, scores);
        for (j = 0; j < PENDULUM_ACTIONS; j++) {
            differs |= scores[j] != test_scores[i][j];
        }
        failures += differs;
    }
    return failures;
}
