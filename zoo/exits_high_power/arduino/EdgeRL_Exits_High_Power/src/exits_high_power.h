/*
 * An int8 policy of 7-16-16-2 neurons
 *
 * Written by EdgeRL 0.2.0; do not edit. Integers only once the observations are quantised; no heap, no library.
 * Bit for bit equal to TensorFlow Lite for Microcontrollers on exits_high_power_int8.tflite
 * (SHA-256 3b3c39f03424fbc49a8c4e740698eac83a220f7e0b753f99830a716e552b02c1).
 *
 * How to call it:
 *
 *     #include "exits_high_power.h"
 *     if (exits_high_power_self_test() != 0) { ... this processor computes something else: stop ... }
 *     float obs[EXITS_HIGH_POWER_FEATURES] = { ... in the units below ... };
 *     int action = exits_high_power_act(obs);
 *
 * Observation, each feature with the range that int8 holds of it; beyond it saturates, NaN counts as 0:
 *   [0] confidence: 1 less the entropy of the exit_s probabilities, divided by the logarithm of their number: 0.1411 to 1.041; step 0.00352748305, offset -168
 *   [1] exit: its number, divided by that of the last one: -0.05176 to 1.048; step 0.00431372559, offset -116
 *   [2] latency: time spent until here, as a share of the budget: 0.04711 to 0.171; step 0.000485672772, offset -225
 *   [3] remaining compute: what is left of the budget of multiply-accumulates, as a share of it: 0.829 to 0.9529; step 0.000485672657, offset -1835
 *   [4] margin: largest less second largest probability: -0.05176 to 1.048; step 0.00431365972, offset -116
 *   [5] agreement: 1 if this exit predicts what the one before did: -0.05176 to 1.048; step 0.00431372559, offset -116
 *   [6] probability: the largest probability: 0.03177 to 1.045; step 0.00397164747, offset -136
 *
 * q[i] = clamp(round(obs[i] / step[i]) + offset[i], -128, 127), halves away from zero; the network reads q / 128.
 *
 * Actions: 0 to 1.
 *   0: compute the next exit
 *   1: stop at this exit
 *
 * Environment: EarlyExit-v0
 *   max_macs = 250000000.0
 *   max_latency_ms = 50.0
 *   max_energy_mj = 100.0
 *   alpha = 1.5
 *   beta = 0.2
 *   gamma = 0.1
 *   delta = 0.0
 *   budget_low = 1.0
 *   budget_high = 1.0
 *   preference_low = 0.25
 *   preference_high = 4.0
 */
#ifndef EDGERL_EXITS_HIGH_POWER_H
#define EDGERL_EXITS_HIGH_POWER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EXITS_HIGH_POWER_FEATURES 7
#define EXITS_HIGH_POWER_ACTIONS 2
#define EXITS_HIGH_POWER_ENVIRONMENT "EarlyExit-v0"
#define EXITS_HIGH_POWER_MODEL_SHA256 "3b3c39f03424fbc49a8c4e740698eac83a220f7e0b753f99830a716e552b02c1"
#define EXITS_HIGH_POWER_TEST_VECTORS 4

/* Each function's symbol carries the model's hash: this header and the object of another export do not link. */
#define exits_high_power_quantise exits_high_power_quantise_3b3c39f0
#define exits_high_power_infer exits_high_power_infer_3b3c39f0
#define exits_high_power_argmax exits_high_power_argmax_3b3c39f0
#define exits_high_power_act exits_high_power_act_3b3c39f0
#define exits_high_power_self_test exits_high_power_self_test_3b3c39f0

/* Observations, in the environment's units, to the network's input. */
void exits_high_power_quantise(const float obs[EXITS_HIGH_POWER_FEATURES], int8_t input[EXITS_HIGH_POWER_FEATURES]);

/* What the action is the largest of: the network's int8 outputs, as TFLM computes them. */
typedef int8_t exits_high_power_score;

/* The network: one score for each action. */
void exits_high_power_infer(const int8_t input[EXITS_HIGH_POWER_FEATURES], exits_high_power_score scores[EXITS_HIGH_POWER_ACTIONS]);

/* The action of the largest score; ties go to the lowest index. */
int exits_high_power_argmax(const exits_high_power_score scores[EXITS_HIGH_POWER_ACTIONS]);

/* All three in a row: observation in, action out. */
int exits_high_power_act(const float obs[EXITS_HIGH_POWER_FEATURES]);
/* Runs the embedded test vectors; returns how many failed: 0 on a target that computes as it should. */
int exits_high_power_self_test(void);

#ifdef __cplusplus
}
#endif

#endif
