#include "exits_medium_power_tflm.h"

#include <algorithm>

#include "exits_medium_power_model_data.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

// 1504 bytes were measured in TFLM's interpreter on a host.
alignas(16) uint8_t arena[kExitsMediumPowerArenaBytes];
tflite::MicroMutableOpResolver<1> resolver;
tflite::MicroInterpreter* interpreter = nullptr;

bool shaped(const TfLiteTensor* tensor, int size) {
  return tensor != nullptr && tensor->type == kTfLiteInt8 && tensor->dims->size == 2 && tensor->dims->data[1] == size;
}

}  // namespace

bool exits_medium_power_tflm_begin() {
  const tflite::Model* model = tflite::GetModel(exits_medium_power_model_data);
  if (model->version() != TFLITE_SCHEMA_VERSION || !(resolver.AddFullyConnected() == kTfLiteOk)) {
    return false;
  }
  static tflite::MicroInterpreter instance(model, resolver, arena, sizeof arena);
  if (instance.AllocateTensors() != kTfLiteOk || !shaped(instance.input(0), EXITS_MEDIUM_POWER_FEATURES) ||
      !shaped(instance.output(0), EXITS_MEDIUM_POWER_ACTIONS)) {
    return false;
  }
  interpreter = &instance;
  return true;
}

int exits_medium_power_tflm_act(const float obs[EXITS_MEDIUM_POWER_FEATURES]) {
  if (interpreter == nullptr) {
    return -1;
  }
  exits_medium_power_quantise(obs, interpreter->input(0)->data.int8);
  if (interpreter->Invoke() != kTfLiteOk) {
    return -1;
  }
  const int8_t* outputs = interpreter->output(0)->data.int8;
  return static_cast<int>(std::max_element(outputs, outputs + EXITS_MEDIUM_POWER_ACTIONS) - outputs);
}

int exits_medium_power_tflm_arena_used() {
  return interpreter == nullptr ? 0 : static_cast<int>(interpreter->arena_used_bytes());
}
