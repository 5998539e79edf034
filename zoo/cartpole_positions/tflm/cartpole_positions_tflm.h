// The policy through TensorFlow Lite for Microcontrollers. Needs cartpole_positions.{h,c} and cartpole_positions_model_data.{h,cc} beside it,
// and TFLM (ESP-IDF: espressif/esp-tflite-micro). Written by EdgeRL; do not edit.
#ifndef EDGERL_CARTPOLE_POSITIONS_TFLM_H
#define EDGERL_CARTPOLE_POSITIONS_TFLM_H

#include "cartpole_positions.h"

constexpr int kCartpolePositionsArenaBytes = 5040;

// Builds the interpreter; false if the model, an operator or the arena does not fit. Call it once.
bool cartpole_positions_tflm_begin();

// Observation in, action out: the largest int8 output, ties to the lowest index; -1 if the interpreter failed.
int cartpole_positions_tflm_step(cartpole_positions_state* state, const float obs[CARTPOLE_POSITIONS_FEATURES]);

// Bytes of the arena in use after cartpole_positions_tflm_begin.
int cartpole_positions_tflm_arena_used();

#endif
