// The policy through TensorFlow Lite for Microcontrollers. Needs cartpole.{h,c} and cartpole_model_data.{h,cc} beside it,
// and TFLM (ESP-IDF: espressif/esp-tflite-micro). Written by EdgeRL; do not edit.
#ifndef EDGERL_CARTPOLE_TFLM_H
#define EDGERL_CARTPOLE_TFLM_H

#include "cartpole.h"

constexpr int kCartpoleArenaBytes = 2304;

// Builds the interpreter; false if the model, an operator or the arena does not fit. Call it once.
bool cartpole_tflm_begin();

// Observation in, action out: the largest int8 output, ties to the lowest index; -1 if the interpreter failed.
int cartpole_tflm_act(const float obs[CARTPOLE_FEATURES]);

// Bytes of the arena in use after cartpole_tflm_begin.
int cartpole_tflm_arena_used();

#endif
