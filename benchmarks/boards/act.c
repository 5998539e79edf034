/*
 * Decides for each of the observations on a verilated core's board (see edgerl/deploy/harness/cores): a line each with
 * the cycles, less those of reading the clock, and the action; then a line with the bytes of the deepest stack.
 */
#include <stdint.h>

#include "console.h"
#include "observations.h"

#define PAINT 0xA5C3A5C3u
#define DEPTH 65536 /* bytes of stack that are looked at */

int peer_prepare(void); /* 0 once it is ready */
int peer_act(const float *observation);

extern char stack_top[];

int main(void)
{
    volatile uint32_t *const lowest = (volatile uint32_t *)(stack_top - DEPTH);
    volatile uint32_t *here;
    volatile uint32_t *p;
    uint32_t start;
    uint32_t nothing;
    int i;
    __asm__ volatile("mv %0, sp" : "=r"(here));
    for (p = lowest; p < here; p++) {
        *p = PAINT;
    }
    if (peer_prepare() != 0) {
        return 1;
    }
    (void)counter();
    start = counter();
    nothing = counter() - start;
    for (i = 0; i < (int)(sizeof observations / sizeof observations[0]); i++) {
        volatile int action;
        uint32_t spent;
        start = counter();
        action = peer_act(observations[i]);
        spent = counter() - start - nothing;
        put_number(spent, ' ');
        put_number((uint32_t)action, '\n');
    }
    for (p = lowest; p < here && *p == PAINT; p++) {
    }
    put_number((uint32_t)(here - p) * 4, '\n');
    return 0;
}
