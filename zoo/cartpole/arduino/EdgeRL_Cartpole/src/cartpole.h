/*
 * An int8 policy of 4-32-32-2 neurons
 *
 * Written by EdgeRL 0.2.0; do not edit. Integers only once the observations are quantised; no heap, no library.
 * Bit for bit equal to TensorFlow Lite for Microcontrollers on cartpole_int8.tflite
 * (SHA-256 c75f198a14910a31dec28e42da15b233657640be3d441324427c6244c4069e23).
 *
 * How to call it:
 *
 *     #include "cartpole.h"
 *     if (cartpole_self_test() != 0) { ... this processor computes something else: stop ... }
 *     float obs[CARTPOLE_FEATURES] = { ... in the units below ... };
 *     int action = cartpole_act(obs);
 *
 * Observation, each feature with the range that int8 holds of it; beyond it saturates, NaN counts as 0:
 *   [0] cart position, m: -0.452 to 1.294; step 0.00684914399, offset -62
 *   [1] cart velocity, m/s: -1.011 to 1.051; step 0.00808427202, offset -3
 *   [2] pole angle from upright, rad: -0.1354 to 0.1344; step 0.001058065, offset 0
 *   [3] pole angular velocity, rad/s: -1.242 to 1.122; step 0.00926957736, offset 6
 *
 * q[i] = clamp(round(obs[i] / step[i]) + offset[i], -128, 127), halves away from zero; the network reads q / 128.
 *
 * Actions: 0 to 1.
 *   0: push left
 *   1: push right
 *
 * Environment: CartPole-v1
 *   gravity = 9.8
 *   masscart = 1.0
 *   masspole = 0.1
 *   length = 0.5
 *   force_mag = 10.0
 *   tau = 0.02
 *   theta_threshold_radians = 0.20943951023931953
 *   x_threshold = 2.4
 *   max_steps_in_episode = 500
 */
#ifndef EDGERL_CARTPOLE_H
#define EDGERL_CARTPOLE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CARTPOLE_FEATURES 4
#define CARTPOLE_ACTIONS 2
#define CARTPOLE_ENVIRONMENT "CartPole-v1"
#define CARTPOLE_MODEL_SHA256 "c75f198a14910a31dec28e42da15b233657640be3d441324427c6244c4069e23"
#define CARTPOLE_TEST_VECTORS 6

/* Each function's symbol carries the model's hash: this header and the object of another export do not link. */
#define cartpole_quantise cartpole_quantise_c75f198a
#define cartpole_infer cartpole_infer_c75f198a
#define cartpole_argmax cartpole_argmax_c75f198a
#define cartpole_act cartpole_act_c75f198a
#define cartpole_self_test cartpole_self_test_c75f198a

/* Observations, in the environment's units, to the network's input. */
void cartpole_quantise(const float obs[CARTPOLE_FEATURES], int8_t input[CARTPOLE_FEATURES]);

/* What the action is the largest of: the network's int8 outputs, as TFLM computes them. */
typedef int8_t cartpole_score;

/* The network: one score for each action. */
void cartpole_infer(const int8_t input[CARTPOLE_FEATURES], cartpole_score scores[CARTPOLE_ACTIONS]);

/* The action of the largest score; ties go to the lowest index. */
int cartpole_argmax(const cartpole_score scores[CARTPOLE_ACTIONS]);

/* All three in a row: observation in, action out. */
int cartpole_act(const float obs[CARTPOLE_FEATURES]);
/* Runs the embedded test vectors; returns how many failed: 0 on a target that computes as it should. */
int cartpole_self_test(void);

#ifdef __cplusplus
}
#endif

#endif
