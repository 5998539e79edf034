// The policy through TensorFlow Lite for Microcontrollers. Needs exits_low_power.{h,c} and exits_low_power_model_data.{h,cc} beside it,
// and TFLM (ESP-IDF: espressif/esp-tflite-micro). Written by EdgeRL; do not edit.
#ifndef EDGERL_EXITS_LOW_POWER_TFLM_H
#define EDGERL_EXITS_LOW_POWER_TFLM_H

#include "exits_low_power.h"

constexpr int kExitsLowPowerArenaBytes = 2256;

// Builds the interpreter; false if the model, an operator or the arena does not fit. Call it once.
bool exits_low_power_tflm_begin();

// Observation in, action out: the largest int8 output, ties to the lowest index; -1 if the interpreter failed.
int exits_low_power_tflm_act(const float obs[EXITS_LOW_POWER_FEATURES]);

// Bytes of the arena in use after exits_low_power_tflm_begin.
int exits_low_power_tflm_arena_used();

#endif
