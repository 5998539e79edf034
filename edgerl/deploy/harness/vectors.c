/*
 * Runs a generated policy on many observations: float32 records in on standard input; for each, the quantised input,
 * the scores and the action out on standard output. Ends with the self-test's number of failures as exit status.
 */
#include "io.h"
#include "policy.h"

#define BATCH 64

struct record {
    policy_score scores[POLICY_ACTIONS];
    int8_t input[POLICY_FEATURES];
    int32_t action;
    int32_t act; /* policy_act's answer, asked for in the first record of a batch */
};

static float observations[BATCH][POLICY_FEATURES];
static struct record records[BATCH];

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
            r->action = policy_argmax(r->scores);
            r->act = i == 0 ? policy_act(observations[i]) : r->action;
        }
        if (!drain(records, count * sizeof records[0])) {
            return 255;
        }
    } while (count == BATCH);
    return policy_self_test();
}
