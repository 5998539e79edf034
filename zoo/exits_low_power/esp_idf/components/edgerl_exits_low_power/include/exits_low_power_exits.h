/*
 * When to stop: an exit's raw logits in, stop or go on out. Written by EdgeRL 0.2.0; do not edit.
 *
 * Integers only, once logits are scaled: no heap, no library, the same bits on every target. Compile exits_low_power_exits.c
 * together with exits_low_power.c. After each exit of the network:
 *
 *     static struct exits_low_power_exits exits;
 *     exits_low_power_exits_init(&exits);                                  // once; again before an image if exits are skipped
 *     ...
 *     if (exits_low_power_should_exit(&exits, logits, exit)) {             // exit: 0, 1, ...
 *         class = exits_low_power_prediction(&exits);
 *     }
 *
 * Two networks, or two threads, take a struct each. Asking about an exit twice changes nothing; an exit that is not there
 * counts as the nearest one. A logit that is NaN counts as the least of all; beyond +-229637 they saturate.
 *
 * The budgets of latency, compute and energy that it was trained for are in report.json. What is
 * left of them is in its observation.
 *
 * Observation of the policy, in this order:
 *   [0] confidence
 *   [1] exit
 *   [2] latency
 *   [3] remaining compute
 *   [4] margin
 *   [5] agreement
 *   [6] probability
 *
 * Temperatures, by exit: 1.3345566e+00f, 1.3339776e+00f, 1.3071947e+00f, 1.2637964e+00f
 */
#ifndef EDGERL_EXITS_LOW_POWER_EXITS_H
#define EDGERL_EXITS_LOW_POWER_EXITS_H

#include "exits_low_power.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EXITS_LOW_POWER_EXITS 4
#define EXITS_LOW_POWER_CLASSES 100

/* Each function's symbol carries a hash: this header and the object of another export do not link. */
#define exits_low_power_exits_init exits_low_power_exits_init_69f23c48
#define exits_low_power_should_exit exits_low_power_should_exit_69f23c48
#define exits_low_power_prediction exits_low_power_prediction_69f23c48
#define exits_low_power_observe exits_low_power_observe_69f23c48
#define exits_low_power_exits_self_test exits_low_power_exits_self_test_69f23c48

/* What is remembered of one image. */
struct exits_low_power_exits {
    int predictions[EXITS_LOW_POWER_EXITS]; /* -1 where not asked */
    int last;                    /* the exit asked about last */
};

void exits_low_power_exits_init(struct exits_low_power_exits *exits);

/* 1: stop at this exit; 0: compute the next one. The last exit stops everything. */
int exits_low_power_should_exit(struct exits_low_power_exits *exits, const float logits[EXITS_LOW_POWER_CLASSES], int exit);

/* The class that the exit asked about last predicts. */
int exits_low_power_prediction(const struct exits_low_power_exits *exits);

/* What the policy sees of an exit, in its units; changes no decision. */
void exits_low_power_observe(const struct exits_low_power_exits *exits, const float logits[EXITS_LOW_POWER_CLASSES], int exit, float obs[EXITS_LOW_POWER_FEATURES]);

/* Features and decisions on made-up logits; returns how many failed: 0 on a target that computes as it should. */
int exits_low_power_exits_self_test(void);

#ifdef __cplusplus
}
#endif

#endif
