/*
 * CoreMark on a verilated core's board. Its result is one line: the cycles of all iterations, and 1 if CoreMark found its
 * checksums right. CoreMark wants a run of ten seconds; they pass on a clock of 100 kHz, since cycles are what counts.
 */
#include "coremark.h"

#include "../console.h"

#define TICKS_PER_SECOND 100000

volatile ee_s32 seed1_volatile = 0;
volatile ee_s32 seed2_volatile = 0;
volatile ee_s32 seed3_volatile = 0x66;
volatile ee_s32 seed4_volatile = ITERATIONS;
volatile ee_s32 seed5_volatile = 0;
ee_u32 default_num_contexts = 1;
static CORE_TICKS started;
static CORE_TICKS stopped;
static int validated;

void start_time(void)
{
    started = counter();
}

void stop_time(void)
{
    stopped = counter();
}

CORE_TICKS get_time(void)
{
    return stopped - started;
}

secs_ret time_in_secs(CORE_TICKS ticks)
{
    return ticks / TICKS_PER_SECOND;
}

/* Of all that CoreMark says, whether it is content. */
int ee_printf(const char *format, ...)
{
    const char *wanted = "Correct operation validated";
    while (*wanted != 0 && *format == *wanted) {
        format++;
        wanted++;
    }
    validated |= *wanted == 0;
    return 0;
}

void portable_init(core_portable *p, int *argc, char *argv[])
{
    (void)argc;
    (void)argv;
    p->portable_id = 1;
}

void portable_fini(core_portable *p)
{
    p->portable_id = 0;
    put_number(get_time(), ' ');
    put_number((ee_u32)validated, '\n');
}
