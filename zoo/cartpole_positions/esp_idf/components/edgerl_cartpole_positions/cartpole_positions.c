/* An int8 policy of 2-16-2 neurons. See cartpole_positions.h. Written by EdgeRL 0.2.0; do not edit. */
#include "cartpole_positions.h"

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
    const ROM int8_t *table;
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

static const ROM struct feature features[CARTPOLE_POSITIONS_FEATURES] = {
    {50133368, 13, 144},
    {37547368, 0, 141},
};

static const ROM int8_t weights_0[288] WEIGHTS = {
    -10, 8, 13, -8, 8, 18, -1, 7, 30, 26, 10, 13, -14, 33, 12, 48,
    3, 15, 7, 21, -28, 40, 13, -39, -53, -64, 21, -7, -34, -16, -12, -56,
    -51, -7, 6, -15, -19, -7, 6, -43, 22, 7, -1, -20, 8, -9, -2, -21,
    -37, -96, -27, -11, -67, -57, 18, -89, -28, -30, 7, -8, -26, -27, -29, -14,
    -15, 3, -17, -2, -48, 23, -31, -6, 10, 30, 0, 21, -20, -12, 17, -10,
    -5, 5, -29, -3, 21, -34, -13, 58, -42, -48, -8, 15, -26, -29, -9, -22,
    -59, -39, 6, -46, -42, -38, -13, -55, -16, -61, -13, -14, -39, -43, -25, -78,
    -4, 50, -6, -10, 31, -23, -21, 33, 23, 33, -33, -35, 59, 19, -8, 52,
    -65, -119, 13, -49, -127, -66, 23, -127, -11, -12, -29, 0, 34, -1, 3, 15,
    -7, -13, 16, 15, 4, 20, 7, 7, 2, 72, 18, 1, 35, -1, -35, 12,
    -3, -5, 1, 9, 24, -18, 4, -60, -20, -25, -45, 4, -32, -12, -6, 6,
    -40, -20, 7, 3, -2, -46, -29, -15, 1, -27, -7, -8, 7, 0, -4, 27,
    -22, -64, -70, 50, -98, -82, -66, -35, 28, -28, 10, 8, -19, -21, 6, -12,
    -36, -26, -18, -7, -27, -22, -32, -16, 11, 16, -5, 13, -1, 33, -14, -8,
    -6, 14, -13, 1, 43, 25, 57, 57, -29, -27, -15, -8, -22, -7, -19, -12,
    -21, -23, -53, -7, -62, -35, -39, -67, -24, -37, -48, 12, -58, -49, -48, -26,
    4, 28, -8, 9, 22, 18, 36, 60, 31, 41, 62, -13, 68, 102, 84, 59,
    -15, -98, -110, 15, -116, -111, -74, -64, 31, 3, -14, -7, -9, 6, 6, 38,
};

static const ROM int32_t bias_0[16] ALIGNED = {
    -8736, -15493, 2707, -4367, -16949, -7590, 624, -17647, -8693, -12713, -11549, -442, -14905, -15095, -14675, -14430,
};

static const ROM struct scaling scaling_0[1] = {
    {1981246863, 257, 2, -2, 9},
};

static const ROM int8_t table_0[256] = {
    -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -127, -127,
    -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127,
    -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127,
    -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126, -126,
    -125, -125, -125, -125, -125, -125, -125, -125, -125, -125, -124, -124, -124, -124, -124, -124,
    -124, -124, -123, -123, -123, -123, -123, -123, -122, -122, -122, -122, -122, -121, -121, -121,
    -121, -121, -120, -120, -120, -120, -119, -119, -119, -118, -118, -118, -117, -117, -117, -116,
    -116, -116, -115, -115, -114, -114, -114, -113, -113, -112, -112, -111, -111, -110, -110, -109,
    -108, -108, -107, -107, -106, -105, -105, -104, -103, -102, -102, -101, -100, -99, -98, -97,
    -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -86, -85, -84, -83, -82, -80,
    -79, -78, -76, -75, -74, -72, -71, -69, -68, -66, -65, -63, -62, -60, -58, -57,
    -55, -53, -51, -50, -48, -46, -44, -42, -41, -39, -37, -35, -33, -31, -29, -27,
    -25, -23, -21, -19, -17, -15, -13, -10, -8, -6, -4, -2, 0, 2, 4, 6,
    8, 10, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39,
    41, 42, 44, 46, 48, 50, 51, 53, 55, 57, 58, 60, 62, 63, 65, 66,
    68, 69, 71, 72, 74, 75, 76, 78, 79, 80, 82, 83, 84, 85, 86, 88,
};

static const ROM int8_t weights_1[288] WEIGHTS = {
    -27, -11, -33, 21, 40, -27, 4, -27, 29, -61, -15, 5, -53, 20, -16, 71,
    21, -9, 3, -17, 14, 49, -16, 12, 30, 25, -6, 35, -3, -50, -38, 10,
    -19, 11, 14, -23, 33, 42, 43, 38, 75, -27, -64, 30, 8, 9, -15, 21,
    45, -8, 9, -30, -28, -29, 59, 18, 17, -45, 4, 17, -41, 1, -7, 29,
    -4, 14, 1, -1, -42, 31, -19, -20, -46, -5, -58, -10, -127, -6, -18, 54,
    -2, 0, 26, 23, -28, -11, 0, -53, 9, -60, -46, -23, -48, 23, -4, -27,
    3, -14, -28, -2, 53, -26, -25, 7, -3, -3, 8, -4, 9, 14, 24, 31,
    48, -16, 60, -41, -30, -90, -23, -51, -23, 47, -20, -29, 17, -29, -29, -68,
    62, 11, -43, 9, -9, 15, 8, 26, -5, -24, 20, -8, 14, -7, -69, -38,
    16, -11, 9, -1, 21, -17, 42, -3, 36, 73, -28, -86, 34, 7, 9, 30,
    48, -39, 10, 18, 31, -13, 100, -10, 96, 6, 6, 31, 22, 17, -4, -22,
    -37, 32, 62, -3, 11, 8, 4, -41, 15, -14, 3, -25, 9, 53, 31, -25,
    22, 31, 51, 59, -6, 17, -1, 7, 56, -34, 65, -3, -28, -24, -11, -65,
    -53, 27, 22, 53, 17, -21, -25, -42, -63, -12, -8, -72, -15, 23, -7, -8,
    43, -16, -5, -7, 1, -24, -15, 9, 85, -15, -15, -20, 16, 34, -18, -12,
    -23, 15, -2, -10, -67, -94, 78, -84, -44, 8, 11, -39, 30, -67, -64, -6,
    27, -52, -4, 3, 44, 15, 10, 46, 58, 31, -14, -40, 15, -29, 73, -12,
    35, -23, 73, 58, 9, -34, -16, 24, 9, 9, 15, 33, -5, 5, 16, 41,
};

static const ROM int32_t bias_1[16] ALIGNED = {
    5269, -1581, 1325, 1939, -482, 1608, 921, 10119, 297, -1007, 7663, 5073, -35, 207, -4576, 422,
};

static const ROM struct scaling scaling_1[1] = {
    {1300594459, 257, 2, -2, 9},
};

static const ROM int8_t table_1[256] = {
    -121, -120, -120, -120, -120, -120, -119, -119, -119, -119, -118, -118, -118, -117, -117, -117,
    -116, -116, -116, -116, -115, -115, -114, -114, -114, -113, -113, -112, -112, -112, -111, -111,
    -110, -110, -109, -109, -108, -108, -107, -106, -106, -105, -105, -104, -103, -103, -102, -101,
    -101, -100, -99, -98, -98, -97, -96, -95, -94, -94, -93, -92, -91, -90, -89, -88,
    -87, -86, -85, -84, -83, -82, -81, -80, -78, -77, -76, -75, -74, -72, -71, -70,
    -68, -67, -66, -64, -63, -62, -60, -59, -57, -56, -54, -53, -51, -49, -48, -46,
    -45, -43, -41, -40, -38, -36, -35, -33, -31, -29, -28, -26, -24, -22, -20, -19,
    -17, -15, -13, -11, -9, -7, -6, -4, -2, 0, 2, 4, 6, 7, 9, 11,
    13, 15, 17, 19, 20, 22, 24, 26, 28, 29, 31, 33, 35, 36, 38, 40,
    41, 43, 45, 46, 48, 49, 51, 53, 54, 56, 57, 59, 60, 62, 63, 64,
    66, 67, 68, 70, 71, 72, 74, 75, 76, 77, 78, 80, 81, 82, 83, 84,
    85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 94, 95, 96, 97, 98, 98,
    99, 100, 101, 101, 102, 103, 103, 104, 105, 105, 106, 106, 107, 108, 108, 109,
    109, 110, 110, 111, 111, 112, 112, 112, 113, 113, 114, 114, 114, 115, 115, 116,
    116, 116, 116, 117, 117, 117, 118, 118, 118, 119, 119, 119, 119, 120, 120, 120,
    120, 120, 121, 121, 121, 121, 121, 122, 122, 122, 122, 122, 122, 123, 123, 123,
};

static const ROM int8_t weights_2[288] WEIGHTS = {
    28, -1, -12, 38, -6, 38, -18, 8, 53, -114, 14, -33, -119, -50, 21, 107,
    38, -26, 17, -2, -39, -37, 22, 20, 4, 6, -3, 4, 8, 52, -14, 7,
    2, 29, 21, -6, 10, 6, 9, -29, 33, -13, 0, -14, -31, 10, -33, 12,
    29, 1, -12, 47, 27, 27, 0, 16, 27, -37, -26, -1, -8, -11, -24, 23,
    -18, 1, 40, 29, 12, -10, -13, -23, -5, -57, 26, -44, -14, -44, 2, 5,
    -18, 34, -21, 16, -22, 19, -11, 5, -5, -15, -1, 17, -36, 18, -18, 19,
    5, 29, 4, 32, 37, 50, -41, 19, -28, 30, 11, -1, 48, 31, 20, -1,
    -14, 16, -17, 20, 8, 15, -8, -6, 2, -19, -5, 13, -8, 31, 6, -1,
    -24, 13, 8, 19, 15, 9, 10, 1, -8, 45, -20, 13, 13, 1, -20, 16,
    -10, 12, 15, -21, -14, 3, -22, -23, -50, -85, -74, -28, -127, -108, -98, -126,
    -29, -15, -6, -22, -51, -11, -6, -40, 8, -5, -34, 9, 10, 8, 43, -8,
    17, 14, 3, 23, 2, -3, 33, 20, -40, -26, -8, -23, -21, -34, -22, 0,
    -13, 9, -12, 22, 14, 11, 37, 24, -2, 10, -5, -2, -37, -37, -19, -24,
    20, -4, 12, 24, 16, -14, 31, 11, -29, -41, 29, 19, -34, 3, -30, -49,
    4, 43, 13, 33, 46, 24, 20, 15, 13, -3, 0, -18, -42, 11, -2, 7,
    -2, 90, -12, -16, 37, 48, 23, 24, 26, 42, 46, 24, 23, 7, 59, 40,
    17, 37, -32, -11, 19, -7, 24, -6, 5, 33, -7, -31, 54, 0, 19, 18,
    -48, -10, -6, -2, -22, -22, 20, -7, 16, 1, 12, -24, 38, 3, 49, 2,
};

static const ROM int32_t bias_2[16] ALIGNED = {
    813, -298, 265, 65, 737, 806, 288, 201, -692, 28, -196, 375, -386, -1876, 2116, -998,
};

static const ROM struct scaling scaling_2[1] = {
    {1902940114, 129, 2, -2, 8},
};

static const ROM int8_t table_2[256] = {
    -120, -120, -120, -120, -119, -119, -119, -118, -118, -118, -117, -117, -117, -116, -116, -115,
    -115, -114, -114, -113, -113, -112, -112, -111, -111, -110, -110, -109, -108, -108, -107, -106,
    -106, -105, -104, -103, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92,
    -91, -90, -89, -88, -86, -85, -84, -82, -81, -80, -78, -77, -75, -74, -72, -71,
    -69, -68, -66, -64, -62, -61, -59, -57, -55, -53, -52, -50, -48, -46, -44, -42,
    -40, -38, -35, -33, -31, -29, -27, -25, -23, -20, -18, -16, -14, -11, -9, -7,
    -5, -2, 0, 2, 5, 7, 9, 11, 14, 16, 18, 20, 23, 25, 27, 29,
    31, 33, 35, 38, 40, 42, 44, 46, 48, 50, 52, 53, 55, 57, 59, 61,
    62, 64, 66, 68, 69, 71, 72, 74, 75, 77, 78, 80, 81, 82, 84, 85,
    86, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102,
    103, 103, 104, 105, 106, 106, 107, 108, 108, 109, 110, 110, 111, 111, 112, 112,
    113, 113, 114, 114, 115, 115, 116, 116, 117, 117, 117, 118, 118, 118, 119, 119,
    119, 120, 120, 120, 120, 121, 121, 121, 121, 122, 122, 122, 122, 122, 123, 123,
    123, 123, 123, 123, 124, 124, 124, 124, 124, 124, 124, 125, 125, 125, 125, 125,
    125, 125, 125, 125, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126, 126,
    126, 126, 126, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127,
};

static const ROM int8_t weights_3[32] WEIGHTS = {
    -51, 51, 103, -103, -12, 12, 22, -22, 69, -68, 30, -30, -10, 10, -91, 91,
    50, -50, 64, -64, 51, -51, 25, -24, 97, -97, 54, -54, 51, -51, 127, -127,
};

static const ROM int32_t bias_3[2] ALIGNED = {
    -700, -35,
};

static const ROM struct scaling scaling_3[1] = {
    {1521036160, 513, 2, -2, 10},
};

static const ROM struct layer layers_0[3] = {
    {weights_0, bias_0, scaling_0, table_0, 18, 2, 204, 0, 255},
    {weights_1, bias_1, scaling_1, table_1, 18, 2, 121, 0, 255},
    {weights_2, bias_2, scaling_2, table_2, 18, 2, 98, 0, 255},
};

static const ROM struct layer layer_3 = {weights_3, bias_3, scaling_3, 0, 16, 1, 0, -128, 127};

static const ROM float test_observations[CARTPOLE_POSITIONS_TEST_VECTORS][CARTPOLE_POSITIONS_FEATURES] = {
    {-7.784841e-01f, 4.5501427e-03f},
    {-2.7206478e-01f, 2.7790548e-02f},
    {-6.0811603e-01f, 5.1986396e-02f},
    {-4.5154825e-02f, -2.966621e-02f},
    {2.304603e-01f, -7.793943e-02f},
    {-3.1353346e-01f, -4.0593598e-02f},
    {-7.925093e-01f, 7.9970166e-02f},
    {-8.7392265e-01f, 9.623918e-02f},
};

static const ROM cartpole_positions_score test_scores[CARTPOLE_POSITIONS_TEST_VECTORS][CARTPOLE_POSITIONS_ACTIONS] = {
    {-4, 3},
    {-22, 21},
    {-49, 48},
    {23, -24},
    {112, -113},
    {93, -93},
    {-45, 44},
    {-107, 106},
};

static const ROM uint8_t test_actions[CARTPOLE_POSITIONS_TEST_VECTORS] = {
    1, 1, 1, 0, 0, 0, 1, 1,
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

FAST static inline int32_t index_of(int32_t accumulator, struct scaling s, int32_t zero)
{
    const int32_t y = scaled(accumulator, s) + zero;
    return (uint32_t)y <= 255 ? y : y < 0 ? 0 : 255;
}

FAST static inline int32_t score(int32_t accumulator, struct scaling s, const ROM struct layer *l)
{
    const int32_t y = scaled(accumulator, s) + l->zero;
    return y < l->low ? l->low : y > l->high ? l->high : y;
}

#if defined(__AVR__)
KERNEL static void dense_8_table(const ROM struct layer *l, const int16_t *x, int16_t *y)
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
            const ROM int8_t *q = w;
            int t0 = *q++;
            int t1 = *q++;
            a0 += t0 * v0;
            a1 += t1 * v0;
            p += 1;
            w += 8;
        } while (p != end);
        {
            const struct scaling s = *l->scaling;
            const int32_t zero = l->zero;
            const ROM int8_t *const table = l->table;
            y[0] = (int16_t)(table[index_of(a0, s, zero)]);
            y[1] = (int16_t)(table[index_of(a1, s, zero)]);
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
KERNEL static void dense_8_table(const ROM struct layer *l, const int16_t *x, int16_t *y)
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
            const int v1 = p[1];
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
                int t0 = WEIGHT(w, 8);
                int t1 = WEIGHT(w, 9);
                int t2 = WEIGHT(w, 10);
                int t3 = WEIGHT(w, 11);
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
                int t4 = WEIGHT(w, 12);
                int t5 = WEIGHT(w, 13);
                int t6 = WEIGHT(w, 14);
                int t7 = WEIGHT(w, 15);
                t4 *= v1;
                t5 *= v1;
                t6 *= v1;
                t7 *= v1;
                a4 += t4;
                a5 += t5;
                a6 += t6;
                a7 += t7;
            }
            p += 2;
            w += 16;
        } while (p != end);
        {
            const struct scaling s = *l->scaling;
            const int32_t zero = l->zero;
            const ROM int8_t *const table = l->table;
            y[0] = (int16_t)(table[index_of(a0, s, zero)]);
            y[1] = (int16_t)(table[index_of(a1, s, zero)]);
            y[2] = (int16_t)(table[index_of(a2, s, zero)]);
            y[3] = (int16_t)(table[index_of(a3, s, zero)]);
            y[4] = (int16_t)(table[index_of(a4, s, zero)]);
            y[5] = (int16_t)(table[index_of(a5, s, zero)]);
            y[6] = (int16_t)(table[index_of(a6, s, zero)]);
            y[7] = (int16_t)(table[index_of(a7, s, zero)]);
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

/* How products, difference and sum of the recurrent unit become int8 again. */
struct unit {
    struct scaling kept;
    struct scaling difference;
    struct scaling share;
    struct scaling first;
    struct scaling second;
    struct scaling after;
    int16_t difference_zero;
    int16_t share_zero;
};

static const struct unit unit = {{1073741824, 129, 2, -2, 8}, {1466377086, 262145, 2, -2, 19}, {1911681064, 129, 2, -2, 8}, {1073741824, 1, 2, 0, 1}, {1766438400, 5, 2, -2, 3}, {1073741824, 262145, 2, -2, 19}, 2, 32};

FAST static inline int32_t saturated(int32_t y)
{
    return y < -128 ? -128 : y > 127 ? 127 : y;
}

void cartpole_positions_reset(cartpole_positions_state *state)
{
    int i;
    for (i = 0; i < CARTPOLE_POSITIONS_MEMORY; i++) {
        int number = 0;
        IN_REGISTER(number); /* else the loop becomes a call of memset */
        state->memory[i] = (int8_t)number;
    }
}

/* What the reset gate leaves of the memory. */
FAST static void keep(const int8_t *memory, const int16_t *reset, int16_t *kept)
{
    int i;
    for (i = 0; i < CARTPOLE_POSITIONS_MEMORY; i++) {
        kept[i] = (int16_t)saturated(scaled((reset[i] + 128) * (int32_t)memory[i], unit.kept));
    }
}

/* The memory after a step: the candidate, and of its difference from the memory the share of the update gate. */
FAST static void remember(int8_t *memory, const int16_t *update, const int16_t *candidate, int16_t *after)
{
    int i;
    for (i = 0; i < CARTPOLE_POSITIONS_MEMORY; i++) {
        const int32_t apart = scaled((memory[i] - candidate[i]) * (int32_t)524288, unit.difference);
        const int32_t difference = saturated(apart + unit.difference_zero) - unit.difference_zero;
        const int32_t part = scaled((update[i] + 128) * difference, unit.share);
        const int32_t share = saturated(part + unit.share_zero) - unit.share_zero;
        const int32_t first = scaled(candidate[i] * (int32_t)1048576, unit.first);
        const int32_t second = scaled(share * (int32_t)1048576, unit.second);
        after[i] = (int16_t)saturated(scaled(first + second, unit.after));
        memory[i] = (int8_t)after[i];
    }
}

FAST void cartpole_positions_infer(cartpole_positions_state *state, const int8_t input[CARTPOLE_POSITIONS_FEATURES], cartpole_positions_score scores[CARTPOLE_POSITIONS_ACTIONS])
{
    int16_t both[18];
    int16_t update[16];
    int16_t reset[16];
    int16_t candidate[16];
    int16_t after[16];
    int16_t right[2];
    int i;
    for (i = 0; i < CARTPOLE_POSITIONS_FEATURES; i++) {
        both[i] = input[i];
    }
    for (i = 0; i < CARTPOLE_POSITIONS_MEMORY; i++) {
        both[2 + i] = state->memory[i];
    }
    dense_8_table(&layers_0[0], both, update);
    dense_8_table(&layers_0[1], both, reset);
    keep(state->memory, reset, both + 2);
    dense_8_table(&layers_0[2], both, candidate);
    remember(state->memory, update, candidate, after);
    dense_2_scores(&layer_3, after, right);
    for (i = 0; i < CARTPOLE_POSITIONS_ACTIONS; i++) {
        int32_t score = right[i];
        IN_REGISTER(score); /* else copying becomes a call of memcpy */
        scores[i] = (cartpole_positions_score)score;
    }
}

/*
 * The float product gain * observation, rounded to 24 bits and then towards zero, without float arithmetic: the same on
 * every processor, whatever a compiler may contract and a floating-point unit may flush or round.
 */
FAST void cartpole_positions_quantise(const float obs[CARTPOLE_POSITIONS_FEATURES], int8_t input[CARTPOLE_POSITIONS_FEATURES])
{
    const ROM struct feature *f = features;
    int i;
    FROM_FLASH(f);
    for (i = 0; i < CARTPOLE_POSITIONS_FEATURES; i++, f++) {
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

int cartpole_positions_argmax(const cartpole_positions_score scores[CARTPOLE_POSITIONS_ACTIONS])
{
    int best = 0;
    int i;
    for (i = 1; i < CARTPOLE_POSITIONS_ACTIONS; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    return best;
}

int cartpole_positions_step(cartpole_positions_state *state, const float obs[CARTPOLE_POSITIONS_FEATURES])
{
    int8_t input[CARTPOLE_POSITIONS_FEATURES];
    cartpole_positions_score scores[CARTPOLE_POSITIONS_ACTIONS];
    cartpole_positions_quantise(obs, input);
    cartpole_positions_infer(state, input, scores);
    return cartpole_positions_argmax(scores);
}

/* Whether the action of a test vector's scores is another one. */
static int decides_otherwise(int vector, const cartpole_positions_score scores[CARTPOLE_POSITIONS_ACTIONS])
{
    return cartpole_positions_argmax(scores) != test_actions[vector];
}
int cartpole_positions_self_test(void)
{
    int failures = 0;
    int i;
    cartpole_positions_state state;
    cartpole_positions_reset(&state);
    for (i = 0; i < CARTPOLE_POSITIONS_TEST_VECTORS; i++) {
        float obs[CARTPOLE_POSITIONS_FEATURES];
        int8_t input[CARTPOLE_POSITIONS_FEATURES];
        cartpole_positions_score scores[CARTPOLE_POSITIONS_ACTIONS];
        int differs;
        int j;
        for (j = 0; j < CARTPOLE_POSITIONS_FEATURES; j++) {
            float number = test_observations[i][j];
            IN_REGISTER(number); /* else copying becomes a call of memcpy */
            obs[j] = number;
        }
        cartpole_positions_quantise(obs, input);
        cartpole_positions_infer(&state, input, scores);
        differs = decides_otherwise(i, scores);
        for (j = 0; j < CARTPOLE_POSITIONS_ACTIONS; j++) {
            differs |= scores[j] != test_scores[i][j];
        }
        failures += differs;
    }
    return failures;
}
