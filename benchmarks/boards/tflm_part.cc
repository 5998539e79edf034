// One part of a network in TFLM's interpreter: `model` and `input` from model.h, REGISTER(resolver) with its operators.
#include "model.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {
alignas(16) uint8_t arena[ARENA];
tflite::MicroInterpreter* interpreter = nullptr;
}  // namespace

extern "C" int network_prepare() {
  static tflite::MicroMutableOpResolver<8> resolver;
  if (!(REGISTER(resolver))) return 1;
  static tflite::MicroInterpreter made(tflite::GetModel(model), resolver, arena, sizeof arena);
  if (made.AllocateTensors() != kTfLiteOk || made.input(0)->bytes != sizeof input) return 2;
  for (size_t i = 0; i < sizeof input; i++) made.input(0)->data.int8[i] = input[i];
  interpreter = &made;
  return 0;
}

extern "C" const int8_t* network_run(int) {
  return interpreter->Invoke() == kTfLiteOk ? interpreter->output(0)->data.int8 : nullptr;
}
