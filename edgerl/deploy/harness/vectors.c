/*
 * Runs a generated policy on many observations: float32 records in on standard input; for each, the quantised input,
 * the scores and the action out on standard output. Ends with the self-test's number of failures as exit status.
 * Built for a host, or with -DFREESTANDING for Linux on RV32 (qemu-riscv32), where it brings its own start and calls.
 */
#include <stddef.h>

#include "policy.h"

#ifdef FREESTANDING
static long call(long number, long a, long b, long c)
{
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}
#define READ(data, size) call(63, 0, (long)(data), (long)(size))
#define WRITE(data, size) call(64, 1, (long)(data), (long)(size))
#else
#include <unistd.h>
#define READ(data, size) (long)read(0, (data), (size))
#define WRITE(data, size) (long)write(1, (data), (size))
#endif

#define BATCH 64

struct record {
    policy_score scores[POLICY_ACTIONS];
    int8_t input[POLICY_FEATURES];
    uint8_t action;
    uint8_t act; /* policy_act's answer, asked for in the first record of a batch */
};

static float observations[BATCH][POLICY_FEATURES];
static struct record records[BATCH];

/* Fills `size` bytes, fewer only at the end of the input. */
static size_t fill(void *data, size_t size)
{
    size_t got = 0;
    while (got < size) {
        const long more = READ((char *)data + got, size - got);
        if (more <= 0) {
            break;
        }
        got += (size_t)more;
    }
    return got;
}

static int drain(const void *data, size_t size)
{
    size_t put = 0;
    while (put < size) {
        const long more = WRITE((const char *)data + put, size - put);
        if (more <= 0) {
            return 0;
        }
        put += (size_t)more;
    }
    return 1;
}

int main(void)
{
    size_t count;
    do {
        size_t i;
        count = fill(observations, sizeof observations) / sizeof observations[0];
        for (i = 0; i < count; i++) {
            struct record *r = &records[i];
            policy_quantise(observations[i], r->input);
            policy_infer(r->input, r->scores);
            r->action = (uint8_t)policy_argmax(r->scores);
            r->act = i == 0 ? (uint8_t)policy_act(observations[i]) : r->action;
        }
        if (!drain(records, count * sizeof records[0])) {
            return 255;
        }
    } while (count == BATCH);
    return policy_self_test();
}

#ifdef FREESTANDING
void _start(void);
void _start(void)
{
    __asm__ volatile(".option push\n.option norelax\nla gp, __global_pointer$\n.option pop");
    call(93, main(), 0, 0);
    for (;;) {
    }
}
#endif
