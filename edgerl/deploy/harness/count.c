/*
 * Counts the instructions of one decision on bare RV32 (QEMU's `virt` machine with -icount): `minstret` before and
 * after, less the cost of reading it, for each of the inputs in inputs.h. One number a line on the serial port.
 */
#include "inputs.h"
#include "exported.h"

static void put(char c)
{
    *(volatile uint8_t *)0x10000000 = (uint8_t)c;
}

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

static uint32_t retired(void)
{
    uint32_t value;
    __asm__ volatile(".option push\n.option arch, +zicsr\ncsrr %0, minstret\n.option pop" : "=r"(value)::"memory");
    return value;
}

int main(void)
{
    uint32_t nothing = retired();
    int i;
    nothing = retired() - nothing;
    for (i = 0; i < (int)(sizeof inputs / sizeof inputs[0]); i++) {
        exported_score scores[EXPORTED_ACTIONS];
        volatile int action;
        uint32_t start = retired();
        exported_infer(inputs[i], scores);
        action = exported_argmax(scores);
        put_number(retired() - start - nothing);
        start = retired();
        action = exported_act(observations[i]);
        put_number(retired() - start - nothing);
        (void)action;
    }
    *(volatile uint32_t *)0x100000 = 0x5555; /* power off */
    for (;;) {
    }
}

void _start(void);
__attribute__((section(".text.start"), naked)) void _start(void)
{
    __asm__ volatile("la sp, stack_top\n j main");
}
