"""The other way onto a chip: TFLM's interpreter on the `.tflite`, for projects that have TFLM anyway.

Only the operators that the model has are registered, each registration is checked, and the arena is what the
interpreter was measured to need, with a margin. The quantiser is that of the generated C.
"""

from collections.abc import Mapping
from string import Template

from edgerl.deploy.int8_policy import Deployed

ARENA_MARGIN = 1.5  # the measurement is a 64-bit host's, whose pointers are larger; kernels for a chip may need scratch


def generate(deployed: Deployed, arena: int, words: Mapping[str, str]) -> dict[str, str]:
    """Path in the export → text.

    Args:
      arena: the measured one, in bytes.
      words: those of `edgerl.deploy.names`.
    """
    operators = list(dict.fromkeys(operation.RESOLVER for operation in deployed.graph.operations))
    size = -(-int(arena * ARENA_MARGIN) // 16) * 16
    source = _SOURCE.replace("@COUNT@", str(len(operators))).replace("@MEASURED@", str(arena))
    checks = " && ".join(f"resolver.{name}() == kTfLiteOk" for name in operators)
    p, decision = words["p"], _DISCRETE if deployed.space is None else _CONTINUOUS
    decision = {**decision, **(_REMEMBERS if deployed.units else _FORGETS)}
    header = _HEADER.replace("@ARENA@", str(size))
    for key, text in decision.items():
        header, source = header.replace(key, text), source.replace(key, text)
    texts = {f"tflm/{p}_tflm.h": header, f"tflm/{p}_tflm.cc": source.replace("@CHECKS@", checks)}
    camel = "".join(word.capitalize() for word in p.split("_"))
    return {path: Template(text).substitute(words, camel=camel) for path, text in texts.items()}


_DISCRETE = {
    "@TELLS@": "the largest int8 output, ties to the lowest index; -1 if the interpreter failed.",
    "@RETURNS@": "int",
    "@MORE@": "",
    "@FAILED@": "-1",
    "@INCLUDE@": "#include <algorithm>\n\n",
    "@DECIDE@": "return static_cast<int>(std::max_element(outputs, outputs + ${P}_ACTIONS) - outputs);",
}
_CONTINUOUS = {
    "@TELLS@": "in the units of ${p}.h; false, and no action, if the interpreter failed.",
    "@RETURNS@": "bool",
    "@MORE@": ", float action[${P}_ACTIONS]",
    "@FAILED@": "false",
    "@INCLUDE@": "",
    "@DECIDE@": "${p}_action(outputs, action);\n  return true;",
}

# A policy with memory reads it behind the observation, and writes it behind its outputs.
_REMEMBERS = {
    "@ACT@": "step",
    "@STATE@": "${p}_state* state, ",
    "@AND_MEMORY@": " + ${P}_MEMORY",
    "@READ@": "  std::copy(state->memory, state->memory + ${P}_MEMORY,\n"
    "            interpreter->input(0)->data.int8 + ${P}_FEATURES);\n",
    "@WRITE@": "  std::copy(outputs + ${P}_ACTIONS, outputs + ${P}_ACTIONS + ${P}_MEMORY, state->memory);\n",
    "@INCLUDE@": "#include <algorithm>\n\n",
}
_FORGETS = {"@ACT@": "act", **dict.fromkeys(("@STATE@", "@AND_MEMORY@", "@READ@", "@WRITE@"), "")}

_HEADER = """\
// The policy through TensorFlow Lite for Microcontrollers. Needs ${p}.{h,c} and ${p}_model_data.{h,cc} beside it,
// and TFLM (ESP-IDF: espressif/esp-tflite-micro). Written by EdgeRL; do not edit.
#ifndef EDGERL_${P}_TFLM_H
#define EDGERL_${P}_TFLM_H

#include "${p}.h"

constexpr int k${camel}ArenaBytes = @ARENA@;

// Builds the interpreter; false if the model, an operator or the arena does not fit. Call it once.
bool ${p}_tflm_begin();

// Observation in, action out: @TELLS@
@RETURNS@ ${p}_tflm_@ACT@(@STATE@const float obs[${P}_FEATURES]@MORE@);

// Bytes of the arena in use after ${p}_tflm_begin.
int ${p}_tflm_arena_used();

#endif
"""

_SOURCE = """\
#include "${p}_tflm.h"

@INCLUDE@#include "${p}_model_data.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

// @MEASURED@ bytes were measured in TFLM's interpreter on a host.
alignas(16) uint8_t arena[k${camel}ArenaBytes];
tflite::MicroMutableOpResolver<@COUNT@> resolver;
tflite::MicroInterpreter* interpreter = nullptr;

bool shaped(const TfLiteTensor* tensor, int size) {
  return tensor != nullptr && tensor->type == kTfLiteInt8 && tensor->dims->size == 2 && tensor->dims->data[1] == size;
}

}  // namespace

bool ${p}_tflm_begin() {
  const tflite::Model* model = tflite::GetModel(${p}_model_data);
  if (model->version() != TFLITE_SCHEMA_VERSION || !(@CHECKS@)) {
    return false;
  }
  static tflite::MicroInterpreter instance(model, resolver, arena, sizeof arena);
  if (instance.AllocateTensors() != kTfLiteOk || !shaped(instance.input(0), ${P}_FEATURES@AND_MEMORY@) ||
      !shaped(instance.output(0), ${P}_ACTIONS@AND_MEMORY@)) {
    return false;
  }
  interpreter = &instance;
  return true;
}

@RETURNS@ ${p}_tflm_@ACT@(@STATE@const float obs[${P}_FEATURES]@MORE@) {
  if (interpreter == nullptr) {
    return @FAILED@;
  }
  ${p}_quantise(obs, interpreter->input(0)->data.int8);
@READ@  if (interpreter->Invoke() != kTfLiteOk) {
    return @FAILED@;
  }
  const int8_t* outputs = interpreter->output(0)->data.int8;
@WRITE@  @DECIDE@
}

int ${p}_tflm_arena_used() {
  return interpreter == nullptr ? 0 : static_cast<int>(interpreter->arena_used_bytes());
}
"""
