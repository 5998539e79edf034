/* The clock and the console of a verilated core's board (see edgerl/deploy/harness/cores/board.svh). */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdint.h>

static uint32_t counter(void)
{
    return *(volatile uint32_t *)0x80000010;
}

static void put_number(uint32_t value, char end)
{
    char digits[10];
    int n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0) {
        *(volatile uint8_t *)0x80000000 = (uint8_t)digits[--n];
    }
    *(volatile uint8_t *)0x80000000 = (uint8_t)end;
}

#endif
