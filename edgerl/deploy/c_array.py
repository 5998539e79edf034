"""A `.tflite` as a C++ array, for devices without a file system."""


def generate(model: bytes, name: str = "policy_model_data") -> dict[str, str]:
    """File name → text of `NAME.h` and `NAME.cc`: 16-byte aligned, 12 bytes a line, with the length as `NAME_len`."""
    rows = (", ".join(f"0x{byte:02x}" for byte in model[i : i + 12]) for i in range(0, len(model), 12))
    header = f"""\
// The model of policy_int8.tflite, {len(model)} bytes. Written by EdgeRL; do not edit.
#ifndef EDGERL_POLICY_MODEL_DATA_H
#define EDGERL_POLICY_MODEL_DATA_H

extern const unsigned char {name}[];
extern const int {name}_len;

#endif
"""
    source = f"""\
// The model of policy_int8.tflite. Written by EdgeRL; do not edit.
#include "{name}.h"

alignas(16) const unsigned char {name}[] = {{
    {("," + chr(10) + "    ").join(rows)},
}};
const int {name}_len = {len(model)};
"""
    return {f"{name}.h": header, f"{name}.cc": source}
