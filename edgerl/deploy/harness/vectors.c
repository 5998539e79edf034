/*
 * Runs a generated policy on many observations (see memory.h): float32 records in on standard input; for each, the quantised input,
 * the scores and the action (see answer.h) out on standard output. Ends with the self-test's number of failures as exit status.
 */
#include "io.h"
#include "answer.h"

#ifndef BATCH
#define BATCH 64
#endif

struct record {
    exported_score scores[EXPORTED_SCORES];
    int8_t input[EXPORTED_INPUTS];
    struct answer action;
    struct answer act; /* exported_act's answer, asked for in the first record of a batch */
};

static float observations[BATCH][EXPORTED_INPUTS];
static struct record records[BATCH];

int main(void)
{
    size_t count;
    do {
        size_t i;
        count = fill(observations, sizeof observations) / sizeof observations[0];
        for (i = 0; i < count; i++) {
            struct record *r = &records[i];
            exported_quantise(observations[i], r->input);
            exported_infer(r->input, r->scores);
            r->action = decide(r->scores);
            r->act = i == 0 ? act(observations[i]) : r->action;
        }
        if (!drain(records, count * sizeof records[0])) {
            return 255;
        }
    } while (count == BATCH);
    return exported_self_test();
}
