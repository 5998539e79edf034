/* An int8 policy of 4-32-32-2 neurons. See cartpole.h. Written by EdgeRL 0.2.0; do not edit. */
#include "cartpole.h"

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

static const ROM struct feature features[CARTPOLE_FEATURES] = {
    {38273980, -62, 143},
    {64852840, -3, 144},
    {61939484, 0, 141},
    {56560076, 6, 144},
};

static const ROM int8_t weights_0[128] WEIGHTS = {
    9, 43, -8, -18, -36, 24, -32, -3, 8, 29, -55, -10, -4, -6, 31, -12,
    -13, 49, -21, 5, 16, -37, 95, -3, 3, -16, 8, 47, 27, -12, 10, 56,
    68, -8, 25, -6, 12, -36, 4, -73, 98, -3, 81, 24, -36, -46, 59, -15,
    -45, 2, -55, 46, 3, -3, -25, -123, -46, -43, -11, -5, 12, -28, 93, -8,
    -3, -23, -48, 25, 19, -14, -6, -43, -3, -24, -45, 2, -29, 25, 38, -12,
    0, 40, -24, 24, 26, -51, 9, -18, 39, 1, -17, -7, -16, 15, 13, 54,
    3, -42, -17, 52, 25, 50, -63, -49, 4, 30, 48, -73, -41, -34, 75, -84,
    1, -11, -42, 66, -127, 89, -42, -21, 46, 72, -24, -32, -67, 23, 23, -29,
};

static const ROM int32_t bias_0[32] ALIGNED = {
    7249, -268, 6185, -9813, -4505, 9659, 2314, 6404, -243, -3259, -773, 6482, -6093, -9927, 8384, -7411,
    -3131, 1560, -10426, 4611, 3211, -157, 7196, -11934, 10993, -617, -3891, -6339, 2588, 8658, 4091, -2054,
};

static const ROM struct scaling scaling_0[1] = {
    {1326867313, 65, 2, -2, 7},
};

static const ROM int8_t weights_1[1024] WEIGHTS = {
    20, -83, 34, -35, -14, 22, -2, -17, 20, 66, 3, 33, 27, 1, 45, 29,
    9, -55, -20, 59, -50, -8, -12, -36, 38, -25, 41, -16, 0, -34, -4, -13,
    -35, -25, 31, -29, -17, 64, -2, -14, 61, 32, 58, -2, -18, 42, -44, -9,
    -28, 21, -70, 7, -48, -14, 8, -6, 21, -38, -49, 21, 34, -98, -31, 14,
    -34, -10, 5, 2, 30, -46, 0, -10, 55, -87, 16, -3, 1, 40, -40, 4,
    7, 23, 20, 53, -13, 22, 30, 43, -47, 83, 15, -40, -22, 21, -12, -29,
    -44, -52, -21, -47, -38, -3, 22, -5, 25, 12, -28, 69, -12, -15, -33, -9,
    -36, -15, -27, -3, -2, 6, -91, -114, -15, 51, -27, -43, -80, -97, 3, -28,
    59, -47, 9, -31, -11, -2, -26, 38, -16, 16, 43, -29, 68, 84, -54, 33,
    18, -48, 3, 49, -20, 23, -19, 33, -12, 3, -29, 20, -43, 11, 44, 45,
    17, -10, -31, 13, -27, -44, 85, 41, 3, 24, 41, -34, 52, 7, 33, 67,
    8, 6, 29, 25, -9, -45, -64, 44, 19, 36, -60, -68, 40, -13, -9, -16,
    -33, 14, -49, -59, 35, -27, -8, -28, 37, 66, -39, -21, 14, 8, 23, -64,
    -3, 1, -35, -80, 10, -4, -75, -15, -19, -77, 26, 20, -61, -35, -10, -21,
    -40, 34, 60, -58, -108, -33, 3, 6, 26, -72, -51, -32, 82, 85, 0, 26,
    20, 4, 11, -9, 34, -47, -2, -82, 1, -19, -70, -11, -2, -9, -40, 49,
    -70, -26, 18, 2, -5, -12, -58, 40, -25, 14, -12, 32, 18, -24, 86, -22,
    0, -30, 5, 40, 48, -8, -61, -7, 16, 4, 42, -27, 18, -29, -21, -9,
    26, -37, -86, -44, -51, -35, 32, -96, -54, -31, 24, -30, -19, 8, -30, -27,
    62, 59, 54, -13, -41, 10, 30, 9, -19, -44, 39, 34, 10, 12, 15, 23,
    16, -88, 5, -14, 22, 8, -10, 53, -14, -12, -96, -35, -54, -12, -52, -105,
    -15, -22, -1, -127, -108, -93, 4, 6, 20, -82, 49, -66, 0, -27, -5, -26,
    -3, -11, -52, 53, 26, 22, -31, -72, 37, -24, -21, 21, 40, -44, 47, -111,
    37, -39, -85, -8, -38, 34, 5, 14, 10, -8, 6, -4, -40, 10, -5, -13,
    35, -26, 106, -66, -52, -54, 24, 5, 5, -16, -22, -2, 45, -16, -19, 8,
    -17, -1, 43, -11, -19, -118, 37, 26, 23, -9, 13, 44, -41, 37, -16, 9,
    28, 23, -66, -24, -54, -60, -5, -3, 27, -69, 12, 10, -48, 19, 44, 29,
    3, 1, -6, 26, -63, -65, -54, -49, -45, 18, 5, 22, -45, -20, -51, -80,
    -60, -92, -33, 13, 31, 34, 29, -106, -55, -6, 4, -51, -90, -62, 33, -61,
    -16, -45, -27, -10, 74, -8, 2, 37, -83, -12, -32, 11, 46, 58, -15, 14,
    20, 37, 31, -35, -30, -88, 25, 50, -16, -32, 69, 48, 65, -33, -9, 9,
    -29, 32, -24, 0, -3, -8, -46, -7, -15, -46, -8, -52, -51, -73, 12, -43,
    13, 72, -18, -4, 86, 20, -38, 10, 19, -23, 37, -12, 52, 53, 9, 42,
    13, -47, -34, 0, -23, -19, -15, -45, 43, 7, -5, -103, -12, -29, 112, 12,
    38, -20, 2, -36, 33, 12, -34, 59, -12, 30, 9, 4, -32, 99, 32, -55,
    -70, -15, -46, -14, 0, -68, -31, -1, -15, -75, -9, -50, -28, 7, -6, -56,
    32, 55, -24, 24, 57, -76, 3, 27, 6, -38, -23, 57, -26, -51, -11, 13,
    24, 37, -6, -58, 34, 33, -79, 61, 59, 22, 54, 2, 32, -49, 11, -1,
    -34, -40, 8, -35, 11, 30, -12, 1, -14, 56, -27, 89, 46, -45, 41, 44,
    18, -51, -19, 68, -55, 5, -15, 60, 30, 47, 63, -17, -74, -10, -81, 21,
    -63, 10, 1, -37, -20, 1, -13, 15, 25, 15, 10, 18, -51, -23, 24, -19,
    58, -24, -56, -51, -94, -32, 13, 30, -38, 16, 73, 31, -3, 25, -20, -16,
    92, -43, 24, -34, 49, 12, -10, -13, 19, -3, -19, 14, -58, 12, -34, 19,
    -11, -26, 2, -37, 95, 8, 68, 23, 4, 33, 0, 24, 56, 20, 60, -17,
    10, -17, -51, -3, -49, -44, 18, -54, 25, -53, 44, 12, 12, -16, 40, -33,
    10, -61, -71, -66, 31, -24, -9, -67, -22, -27, -38, -75, -67, -82, -71, -59,
    -78, -14, -19, 26, 19, -38, -37, -98, -61, -37, -55, -91, 9, -78, 14, -5,
    -15, 31, 38, -70, -43, -39, -46, -40, -48, -25, -88, -57, 2, -45, 52, -67,
    -7, -6, 28, 4, -11, -14, -40, 17, -1, -42, -52, 9, -69, -24, 51, -18,
    -6, -49, -7, 21, -4, 18, -90, -51, -42, -37, 18, 78, 75, 3, 1, -39,
    -23, -39, -53, 16, 28, 1, -11, 40, -114, -70, -45, -5, -66, -40, -1, -22,
    -66, -22, 66, -2, 50, -100, 47, -45, -16, -108, -24, -42, 2, -49, 55, 5,
    40, 11, 21, 12, -1, 58, -21, -13, -33, -27, 29, -8, -16, 8, 17, 10,
    -88, -8, 68, -47, -14, -94, -26, -17, -55, -37, -15, -63, 25, -37, -1, -5,
    7, 2, 0, -55, -59, 67, 6, 49, 13, 19, 36, -11, -23, 7, -77, -8,
    -4, 8, 31, 63, -9, -52, -5, -13, 8, -3, -113, -31, -3, -18, -43, -75,
    31, -28, -3, -2, -3, 58, -17, 32, 98, -21, -2, 29, 44, 5, 36, -65,
    -106, -48, -27, 8, -9, -13, 9, -7, -8, -59, -34, -92, -4, -33, -15, -25,
    -44, 40, 25, 15, 52, 53, -23, -28, -4, 6, 58, 23, -60, 22, 13, -32,
    0, -9, -24, -36, -30, -42, -35, -73, 3, 10, -23, 15, -102, 47, -69, -7,
    -29, 1, -55, -19, -12, -4, 14, -40, 33, 52, 15, 39, -68, 10, -61, -75,
    8, -36, 25, -5, 41, -11, -53, 66, 60, 53, 35, -11, 46, 80, 43, 24,
    -9, 49, -16, 38, 10, -57, 13, -53, -70, 40, -14, -72, -14, -65, 50, -45,
    -27, 32, -113, -20, -82, 6, -4, -8, 3, -15, -67, -13, -2, 40, -1, 29,
};

static const ROM int32_t bias_1[32] ALIGNED = {
    -5411, -13612, 6230, 1951, 2648, 3736, 4094, 5876, -3991, 11347, 1826, -3215, 8326, 10033, -7457, 9335,
    10418, -2264, 9559, -3394, 9118, 14779, 0, 9197, 10152, 7042, 11916, 6696, 8934, 10063, 9508, -4794,
};

static const ROM struct scaling scaling_1[1] = {
    {1286188242, 129, 2, -2, 8},
};

static const ROM int8_t weights_2[64] WEIGHTS = {
    26, -27, 44, -43, -48, 49, 63, -62, 33, -31, 40, -40, -39, 39, -83, 81,
    -26, 26, 85, -85, -44, 45, -5, 5, -68, 69, -95, 96, 1, -1, -127, 125,
    61, -61, 13, -13, -51, 51, 0, -2, -83, 83, 108, -108, 0, 2, 76, -77,
    92, -92, 45, -46, 80, -79, 76, -77, -72, 71, 73, -73, -106, 106, 4, -4,
};

static const ROM int32_t bias_2[2] ALIGNED = {
    1391, -1391,
};

static const ROM struct scaling scaling_2[1] = {
    {1196397961, 513, 2, -2, 10},
};

static const ROM struct layer layers_0[2] = {
    {weights_0, bias_0, scaling_0, 4, 2, 0, 0, 255},
    {weights_1, bias_1, scaling_1, 32, 2, 0, 0, 255},
};

static const ROM struct layer layer_2 = {weights_2, bias_2, scaling_2, 32, 1, -1, -128, 127};

static const ROM float test_observations[CARTPOLE_TEST_VECTORS][CARTPOLE_FEATURES] = {
    {3.7571188e-02f, -1.5240966e-03f, -2.514406e-02f, 1.8182409e-01f},
    {-4.8760593e-02f, -2.1339081e-02f, 1.8411104e-02f, 1.2419907e-03f},
    {7.142092e-01f, -3.940853e-01f, -2.8306821e-02f, 2.2899443e-01f},
    {4.8385164e-01f, -2.018214e-01f, 7.875751e-03f, 1.0962123e-02f},
    {6.244431e-01f, -2.4739116e-02f, -2.654664e-03f, 2.11204e-01f},
    {5.877762e-01f, 2.2892666e-01f, -7.6495213e-03f, -1.0519455e-01f},
};

static const ROM cartpole_score test_scores[CARTPOLE_TEST_VECTORS][CARTPOLE_ACTIONS] = {
    {14, -16},
    {1, -3},
    {-10, 8},
    {-5, 3},
    {-36, 34},
    {9, -11},
};

static const ROM uint8_t test_actions[CARTPOLE_TEST_VECTORS] = {
    0, 0, 1, 1, 1, 0,
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
            const int v1 = p[1];
            const int v2 = p[2];
            const int v3 = p[3];
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
            if (v1 != 0) {
                {
                    int t0 = WEIGHT(w, 16);
                    int t1 = WEIGHT(w, 17);
                    int t2 = WEIGHT(w, 18);
                    int t3 = WEIGHT(w, 19);
                    t0 *= v1;
                    t1 *= v1;
                    t2 *= v1;
                    t3 *= v1;
                    a0 += t0;
                    a1 += t1;
                    a2 += t2;
                    a3 += t3;
                }
                {
                    int t4 = WEIGHT(w, 20);
                    int t5 = WEIGHT(w, 21);
                    int t6 = WEIGHT(w, 22);
                    int t7 = WEIGHT(w, 23);
                    t4 *= v1;
                    t5 *= v1;
                    t6 *= v1;
                    t7 *= v1;
                    a4 += t4;
                    a5 += t5;
                    a6 += t6;
                    a7 += t7;
                }
                {
                    int t8 = WEIGHT(w, 24);
                    int t9 = WEIGHT(w, 25);
                    int t10 = WEIGHT(w, 26);
                    int t11 = WEIGHT(w, 27);
                    t8 *= v1;
                    t9 *= v1;
                    t10 *= v1;
                    t11 *= v1;
                    a8 += t8;
                    a9 += t9;
                    a10 += t10;
                    a11 += t11;
                }
                {
                    int t12 = WEIGHT(w, 28);
                    int t13 = WEIGHT(w, 29);
                    int t14 = WEIGHT(w, 30);
                    int t15 = WEIGHT(w, 31);
                    t12 *= v1;
                    t13 *= v1;
                    t14 *= v1;
                    t15 *= v1;
                    a12 += t12;
                    a13 += t13;
                    a14 += t14;
                    a15 += t15;
                }
            }
            if (v2 != 0) {
                {
                    int t0 = WEIGHT(w, 32);
                    int t1 = WEIGHT(w, 33);
                    int t2 = WEIGHT(w, 34);
                    int t3 = WEIGHT(w, 35);
                    t0 *= v2;
                    t1 *= v2;
                    t2 *= v2;
                    t3 *= v2;
                    a0 += t0;
                    a1 += t1;
                    a2 += t2;
                    a3 += t3;
                }
                {
                    int t4 = WEIGHT(w, 36);
                    int t5 = WEIGHT(w, 37);
                    int t6 = WEIGHT(w, 38);
                    int t7 = WEIGHT(w, 39);
                    t4 *= v2;
                    t5 *= v2;
                    t6 *= v2;
                    t7 *= v2;
                    a4 += t4;
                    a5 += t5;
                    a6 += t6;
                    a7 += t7;
                }
                {
                    int t8 = WEIGHT(w, 40);
                    int t9 = WEIGHT(w, 41);
                    int t10 = WEIGHT(w, 42);
                    int t11 = WEIGHT(w, 43);
                    t8 *= v2;
                    t9 *= v2;
                    t10 *= v2;
                    t11 *= v2;
                    a8 += t8;
                    a9 += t9;
                    a10 += t10;
                    a11 += t11;
                }
                {
                    int t12 = WEIGHT(w, 44);
                    int t13 = WEIGHT(w, 45);
                    int t14 = WEIGHT(w, 46);
                    int t15 = WEIGHT(w, 47);
                    t12 *= v2;
                    t13 *= v2;
                    t14 *= v2;
                    t15 *= v2;
                    a12 += t12;
                    a13 += t13;
                    a14 += t14;
                    a15 += t15;
                }
            }
            if (v3 != 0) {
                {
                    int t0 = WEIGHT(w, 48);
                    int t1 = WEIGHT(w, 49);
                    int t2 = WEIGHT(w, 50);
                    int t3 = WEIGHT(w, 51);
                    t0 *= v3;
                    t1 *= v3;
                    t2 *= v3;
                    t3 *= v3;
                    a0 += t0;
                    a1 += t1;
                    a2 += t2;
                    a3 += t3;
                }
                {
                    int t4 = WEIGHT(w, 52);
                    int t5 = WEIGHT(w, 53);
                    int t6 = WEIGHT(w, 54);
                    int t7 = WEIGHT(w, 55);
                    t4 *= v3;
                    t5 *= v3;
                    t6 *= v3;
                    t7 *= v3;
                    a4 += t4;
                    a5 += t5;
                    a6 += t6;
                    a7 += t7;
                }
                {
                    int t8 = WEIGHT(w, 56);
                    int t9 = WEIGHT(w, 57);
                    int t10 = WEIGHT(w, 58);
                    int t11 = WEIGHT(w, 59);
                    t8 *= v3;
                    t9 *= v3;
                    t10 *= v3;
                    t11 *= v3;
                    a8 += t8;
                    a9 += t9;
                    a10 += t10;
                    a11 += t11;
                }
                {
                    int t12 = WEIGHT(w, 60);
                    int t13 = WEIGHT(w, 61);
                    int t14 = WEIGHT(w, 62);
                    int t15 = WEIGHT(w, 63);
                    t12 *= v3;
                    t13 *= v3;
                    t14 *= v3;
                    t15 *= v3;
                    a12 += t12;
                    a13 += t13;
                    a14 += t14;
                    a15 += t15;
                }
            }
            p += 4;
            w += 64;
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
            const int v2 = p[2];
            const int v3 = p[3];
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
            if (v2 != 0) {
                {
                    int t0 = WEIGHT(w, 4);
                    int t1 = WEIGHT(w, 5);
                    t0 *= v2;
                    t1 *= v2;
                    a0 += t0;
                    a1 += t1;
                }
            }
            if (v3 != 0) {
                {
                    int t0 = WEIGHT(w, 6);
                    int t1 = WEIGHT(w, 7);
                    t0 *= v3;
                    t1 *= v3;
                    a0 += t0;
                    a1 += t1;
                }
            }
            p += 4;
            w += 8;
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

FAST void cartpole_infer(const int8_t input[CARTPOLE_FEATURES], cartpole_score scores[CARTPOLE_ACTIONS])
{
    int16_t even[32];
    int16_t odd[32];
    int i;
    for (i = 0; i < CARTPOLE_FEATURES; i++) {
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
    dense_2_scores(&layer_2, even, odd);
    for (i = 0; i < CARTPOLE_ACTIONS; i++) {
        int32_t score = odd[i];
        IN_REGISTER(score); /* else copying accumulators becomes a call of memcpy */
        scores[i] = (cartpole_score)score;
    }
}

/*
 * The float product gain * observation, rounded to 24 bits and then towards zero, without float arithmetic: the same on
 * every processor, whatever a compiler may contract and a floating-point unit may flush or round.
 */
FAST void cartpole_quantise(const float obs[CARTPOLE_FEATURES], int8_t input[CARTPOLE_FEATURES])
{
    const ROM struct feature *f = features;
    int i;
    FROM_FLASH(f);
    for (i = 0; i < CARTPOLE_FEATURES; i++, f++) {
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

int cartpole_argmax(const cartpole_score scores[CARTPOLE_ACTIONS])
{
    int best = 0;
    int i;
    for (i = 1; i < CARTPOLE_ACTIONS; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    return best;
}

int cartpole_act(const float obs[CARTPOLE_FEATURES])
{
    int8_t input[CARTPOLE_FEATURES];
    cartpole_score scores[CARTPOLE_ACTIONS];
    cartpole_quantise(obs, input);
    cartpole_infer(input, scores);
    return cartpole_argmax(scores);
}

/* Whether the action of a test vector's scores is another one. */
static int decides_otherwise(int vector, const cartpole_score scores[CARTPOLE_ACTIONS])
{
    return cartpole_argmax(scores) != test_actions[vector];
}
int cartpole_self_test(void)
{
    int failures = 0;
    int i;
    for (i = 0; i < CARTPOLE_TEST_VECTORS; i++) {
        float obs[CARTPOLE_FEATURES];
        int8_t input[CARTPOLE_FEATURES];
        cartpole_score scores[CARTPOLE_ACTIONS];
        int differs;
        int j;
        for (j = 0; j < CARTPOLE_FEATURES; j++) {
            float number = test_observations[i][j];
            IN_REGISTER(number); /* else copying becomes a call of memcpy */
            obs[j] = number;
        }
        cartpole_quantise(obs, input);
        cartpole_infer(input, scores);
        differs = decides_otherwise(i, scores);
        for (j = 0; j < CARTPOLE_ACTIONS; j++) {
            differs |= scores[j] != test_scores[i][j];
        }
        failures += differs;
    }
    return failures;
}
