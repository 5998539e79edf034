/*
 * An int8 policy of 3-32-32-1 neurons
 *
 * Written by EdgeRL 0.2.0; do not edit. Integers only once the observations are quantised; no heap, no library.
 * Bit for bit equal to TensorFlow Lite for Microcontrollers on pendulum_int8.tflite
 * (SHA-256 e484b1094173773c9a7e8166c2075dbfa5f66dbb2a62b518542c0cb1e9f42e6e).
 *
 * How to call it:
 *
 *     #include "pendulum.h"
 *     if (pendulum_self_test() != 0) { ... this processor computes something else: stop ... }
 *     float obs[PENDULUM_FEATURES] = { ... in the units below ... };
 *     float action[PENDULUM_ACTIONS];
 *     pendulum_act(obs, action);
 *
 * Observation, each feature with the range that int8 holds of it; beyond it saturates, NaN counts as 0:
 *   [0] cosine of the angle from upright: -1.096 to 1.104; step 0.00862709514, offset -1
 *   [1] sine of the angle from upright: -1.104 to 1.096; step 0.00862695092, offset 0
 *   [2] angular velocity, rad/s: -8.56 to 8.231; step 0.0658457425, offset 2
 *
 * q[i] = clamp(round(obs[i] / step[i]) + offset[i], -128, 127), halves away from zero; the network reads q / 128.
 *
 * Action, each number with its range and what one int8 step is; there is no NaN among them:
 *   [0] torque, N m: -2 to 1.984, step 0.015625
 *
 * Environment: Pendulum-v1
 *   gravity = 10.0
 *   mass = 1.0
 *   length = 1.0
 *   max_torque = 2.0
 *   max_speed = 8.0
 *   tau = 0.05
 *   max_steps_in_episode = 200
 */
#ifndef EDGERL_PENDULUM_H
#define EDGERL_PENDULUM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PENDULUM_FEATURES 3
#define PENDULUM_ACTIONS 1
#define PENDULUM_ENVIRONMENT "Pendulum-v1"
#define PENDULUM_MODEL_SHA256 "e484b1094173773c9a7e8166c2075dbfa5f66dbb2a62b518542c0cb1e9f42e6e"
#define PENDULUM_TEST_VECTORS 7

/* Each function's symbol carries the model's hash: this header and the object of another export do not link. */
#define pendulum_quantise pendulum_quantise_e484b109
#define pendulum_infer pendulum_infer_e484b109
#define pendulum_action pendulum_action_e484b109
#define pendulum_q15 pendulum_q15_e484b109
#define pendulum_act pendulum_act_e484b109
#define pendulum_self_test pendulum_self_test_e484b109

/* Observations, in the environment's units, to the network's input. */
void pendulum_quantise(const float obs[PENDULUM_FEATURES], int8_t input[PENDULUM_FEATURES]);

/* The network's int8 outputs, as TFLM computes them: each number of the action, in 1/128, saturated. */
typedef int8_t pendulum_score;

/* Each number of the action is a measured one, not the number of a choice. */
#define PENDULUM_CONTINUOUS 1

/* The network: one score for each number of the action. */
void pendulum_infer(const int8_t input[PENDULUM_FEATURES], pendulum_score scores[PENDULUM_ACTIONS]);

/* Scores to an action in the units above. Exact: nothing is rounded. */
void pendulum_action(const pendulum_score scores[PENDULUM_ACTIONS], float action[PENDULUM_ACTIONS]);

/* The same as Q15, 15 bits behind the point: -32768 for the lower side, 32512 for the highest action. No float. */
void pendulum_q15(const pendulum_score scores[PENDULUM_ACTIONS], int16_t action[PENDULUM_ACTIONS]);

/* Observation in, action out, in the units above. */
void pendulum_act(const float obs[PENDULUM_FEATURES], float action[PENDULUM_ACTIONS]);
/* Runs the embedded test vectors; returns how many failed: 0 on a target that computes as it should. */
int pendulum_self_test(void);

#ifdef __cplusplus
}
#endif

#endif
