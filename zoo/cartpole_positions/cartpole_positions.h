/*
 * An int8 policy of 2-16-2 neurons
 *
 * Written by EdgeRL 0.2.0; do not edit. Integers only once the observations are quantised; no heap, no library.
 * Bit for bit equal to TensorFlow Lite for Microcontrollers on cartpole_positions_int8.tflite
 * (SHA-256 c4a143a2966cbfcf8bd4134846d883e0ae1e8244e1f7d1e3d8f1e664bc4db960).
 *
 * How to call it:
 *
 *     #include "cartpole_positions.h"
 *     if (cartpole_positions_self_test() != 0) { ... this processor computes something else: stop ... }
 *     float obs[CARTPOLE_POSITIONS_FEATURES] = { ... in the units below ... };
 *     cartpole_positions_state state;
 *     cartpole_positions_reset(&state); ... before each episode ...
 *     int action = cartpole_positions_step(&state, obs);
 *
 * Observation, each feature with the range that int8 holds of it; beyond it saturates, NaN counts as 0:
 *   [0] cart position, m: -1.475 to 1.192; step 0.0104578651, offset 13
 *   [1] pole angle from upright, rad: -0.2234 to 0.2217; step 0.00174542194, offset 0
 *
 * q[i] = clamp(round(obs[i] / step[i]) + offset[i], -128, 127), halves away from zero; the network reads q / 128.
 *
 * Actions: 0 to 1.
 *   0: push left
 *   1: push right
 *
 * Environment: PositionOnlyCartPole-v1
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
#ifndef EDGERL_CARTPOLE_POSITIONS_H
#define EDGERL_CARTPOLE_POSITIONS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CARTPOLE_POSITIONS_FEATURES 2
#define CARTPOLE_POSITIONS_ACTIONS 2
#define CARTPOLE_POSITIONS_ENVIRONMENT "PositionOnlyCartPole-v1"
#define CARTPOLE_POSITIONS_MODEL_SHA256 "c4a143a2966cbfcf8bd4134846d883e0ae1e8244e1f7d1e3d8f1e664bc4db960"
#define CARTPOLE_POSITIONS_TEST_VECTORS 8

/* Each function's symbol carries the model's hash: this header and the object of another export do not link. */
#define cartpole_positions_quantise cartpole_positions_quantise_c4a143a2
#define cartpole_positions_reset cartpole_positions_reset_c4a143a2
#define cartpole_positions_infer cartpole_positions_infer_c4a143a2
#define cartpole_positions_argmax cartpole_positions_argmax_c4a143a2
#define cartpole_positions_step cartpole_positions_step_c4a143a2
#define cartpole_positions_self_test cartpole_positions_self_test_c4a143a2

/* Observations, in the environment's units, to the network's input. */
void cartpole_positions_quantise(const float obs[CARTPOLE_POSITIONS_FEATURES], int8_t input[CARTPOLE_POSITIONS_FEATURES]);

/* What the action is the largest of: the network's int8 outputs, as TFLM computes them. */
typedef int8_t cartpole_positions_score;

/* What the policy remembers of an episode: numbers in 128ths. cartpole_positions_reset before each episode. */
#define CARTPOLE_POSITIONS_MEMORY 16

typedef struct cartpole_positions_state {
    int8_t memory[CARTPOLE_POSITIONS_MEMORY];
} cartpole_positions_state;

void cartpole_positions_reset(cartpole_positions_state *state);

/* The network: one score for each action. */
void cartpole_positions_infer(cartpole_positions_state *state, const int8_t input[CARTPOLE_POSITIONS_FEATURES], cartpole_positions_score scores[CARTPOLE_POSITIONS_ACTIONS]);

/* The action of the largest score; ties go to the lowest index. */
int cartpole_positions_argmax(const cartpole_positions_score scores[CARTPOLE_POSITIONS_ACTIONS]);

/* All three in a row: observation in, action out. */
int cartpole_positions_step(cartpole_positions_state *state, const float obs[CARTPOLE_POSITIONS_FEATURES]);
/* Runs the embedded test vectors; returns how many failed: 0 on a target that computes as it should. */
int cartpole_positions_self_test(void);

#ifdef __cplusplus
}
#endif

#endif
