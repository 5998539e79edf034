/*
 * Counts what one decision costs, for each of the inputs in inputs.h: network and argmax (or Q15), then the whole of `act`; one
 * number a line, less the cost of reading the counter. The counter is of retired instructions on QEMU's RISC-V machine
 * `virt` with -icount; with BOARD of cycles on a verilated core's board; with SEMIHOSTING the timer of a Cortex-M in QEMU.
 */
#include "inputs.h"
#include "exported.h"

#if defined(SEMIHOSTING)
#include "io.h"
#define TIMER ((volatile uint32_t *)0xE000E010)

static void put(char c)
{
    (void)fill;
    (void)drain(&c, 1);
}

static uint32_t counter(void)
{
    if (TIMER[0] == 0) { /* 24 bits, downwards, at the processor's clock */
        TIMER[1] = 0xFFFFFF;
        TIMER[2] = 0;
        TIMER[0] = 5;
    }
    return 0u - TIMER[2];
}
#define spent(start) ((counter() - (start)) & 0xFFFFFF)

#elif defined(BOARD)
static void put(char c)
{
    *(volatile uint8_t *)0x80000000 = (uint8_t)c;
}

static uint32_t counter(void)
{
    return *(volatile uint32_t *)0x80000010;
}
#define spent(start) (counter() - (start))

#else
static void put(char c)
{
    *(volatile uint8_t *)0x10000000 = (uint8_t)c;
}

static uint32_t counter(void)
{
    uint32_t value;
    __asm__ volatile(".option push\n.option arch, +zicsr\ncsrr %0, minstret\n.option pop" : "=r"(value)::"memory");
    return value;
}
#define spent(start) (counter() - (start))

int main(void);
void end(void);
void end(void)
{
    const int failed = main();
    *(volatile uint32_t *)0x100000 = failed ? 0x13333 : 0x5555; /* power off, with status 1 or 0 */
    for (;;) {
    }
}

void _start(void);
__attribute__((section(".text.start"), naked)) void _start(void)
{
    __asm__ volatile("la sp, stack_top\n j end");
}
#endif

static void put_number(uint32_t value)
{
    char digits[10];
    int n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0) {
        put(digits[--n]);
    }
    put('\n');
}

#if defined(EXPORTED_MEMORY)
#define INFER(input, scores) own_infer(&state, input, scores)
#else
#define INFER(input, scores) exported_infer(input, scores)
#endif
#if defined(EXPORTED_CONTINUOUS)
#define DECIDE(scores, action) exported_q15(scores, action)
#else
#define DECIDE(scores, action) ((action) = exported_argmax(scores))
#endif
#if defined(EXPORTED_MEMORY) && defined(EXPORTED_CONTINUOUS)
#define ACT(obs, action) own_step(&state, obs, action)
#elif defined(EXPORTED_MEMORY)
#define ACT(obs, action) ((action) = own_step(&state, obs))
#elif defined(EXPORTED_CONTINUOUS)
#define ACT(obs, action) exported_act(obs, action)
#else
#define ACT(obs, action) ((action) = exported_act(obs))
#endif

int main(void)
{
    uint32_t start = counter(), nothing;
    int i;
    start = counter();
    nothing = spent(start);
#if defined(EXPORTED_MEMORY)
    exported_state state;
    own_reset(&state);
#endif
    for (i = 0; i < (int)(sizeof inputs / sizeof inputs[0]); i++) {
        exported_score scores[EXPORTED_SCORES];
#if defined(EXPORTED_CONTINUOUS)
        int16_t decided[EXPORTED_ACTIONS];
        float action[EXPORTED_ACTIONS];
#else
        volatile int decided;
        volatile int action;
#endif
        start = counter();
        INFER(inputs[i], scores);
        DECIDE(scores, decided);
        put_number(spent(start) - nothing);
        start = counter();
        ACT(observations[i], action);
        put_number(spent(start) - nothing);
        (void)action;
        (void)decided;
    }
    return exported_self_test() != 0;
}
