// The policy through TensorFlow Lite for Microcontrollers. Needs pendulum.{h,c} and pendulum_model_data.{h,cc} beside it,
// and TFLM (ESP-IDF: espressif/esp-tflite-micro). Written by EdgeRL; do not edit.
#ifndef EDGERL_PENDULUM_TFLM_H
#define EDGERL_PENDULUM_TFLM_H

#include "pendulum.h"

constexpr int kPendulumArenaBytes = 2304;

// Builds the interpreter; false if the model, an operator or the arena does not fit. Call it once.
bool pendulum_tflm_begin();

// Observation in, action out: in the units of pendulum.h; false, and no action, if the interpreter failed.
bool pendulum_tflm_act(const float obs[PENDULUM_FEATURES], float action[PENDULUM_ACTIONS]);

// Bytes of the arena in use after pendulum_tflm_begin.
int pendulum_tflm_arena_used();

#endif
