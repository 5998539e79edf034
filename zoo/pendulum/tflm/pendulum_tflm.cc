#include "pendulum_tflm.h"

#include "pendulum_model_data.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

// 1536 bytes were measured in TFLM's interpreter on a host.
alignas(16) uint8_t arena[kPendulumArenaBytes];
tflite::MicroMutableOpResolver<1> resolver;
tflite::MicroInterpreter* interpreter = nullptr;

bool shaped(const TfLiteTensor* tensor, int size) {
  return tensor != nullptr && tensor->type == kTfLiteInt8 && tensor->dims->size == 2 && tensor->dims->data[1] == size;
}

}  // namespace

bool pendulum_tflm_begin() {
  const tflite::Model* model = tflite::GetModel(pendulum_model_data);
  if (model->version() != TFLITE_SCHEMA_VERSION || !(resolver.AddFullyConnected() == kTfLiteOk)) {
    return false;
  }
  static tflite::MicroInterpreter instance(model, resolver, arena, sizeof arena);
  if (instance.AllocateTensors() != kTfLiteOk || !shaped(instance.input(0), PENDULUM_FEATURES) ||
      !shaped(instance.output(0), PENDULUM_ACTIONS)) {
    return false;
  }
  interpreter = &instance;
  return true;
}

bool pendulum_tflm_act(const float obs[PENDULUM_FEATURES], float action[PENDULUM_ACTIONS]) {
  if (interpreter == nullptr) {
    return false;
  }
  pendulum_quantise(obs, interpreter->input(0)->data.int8);
  if (interpreter->Invoke() != kTfLiteOk) {
    return false;
  }
  const int8_t* outputs = interpreter->output(0)->data.int8;
  pendulum_action(outputs, action);
  return true;
}

int pendulum_tflm_arena_used() {
  return interpreter == nullptr ? 0 : static_cast<int>(interpreter->arena_used_bytes());
}
