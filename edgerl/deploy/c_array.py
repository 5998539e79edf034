"""A `.tflite` as a C++ array, for devices without a file system."""

import hashlib

from edgerl.deploy import names


def generate(model: bytes, name: str = names.DEFAULT) -> dict[str, str]:
    """File name → text of `NAME_model_data.h` and `.cc`: 16-byte aligned, 12 bytes a line, with its length."""
    data, stamp = f"{name}_model_data", names.words(name, hashlib.sha256(model).hexdigest())["stamp"]
    rows = (", ".join(f"0x{byte:02x}" for byte in model[i : i + 12]) for i in range(0, len(model), 12))
    header = f"""\
// The model of {name}_int8.tflite, {len(model)} bytes. Written by EdgeRL; do not edit.
#ifndef EDGERL_{data.upper()}_H
#define EDGERL_{data.upper()}_H

// The model's hash is in its symbol: this header and another export's object do not link.
#define {data} {data}_{stamp}
#define {data}_len {data}_len_{stamp}

extern const unsigned char {data}[];
extern const int {data}_len;

#endif
"""
    source = f"""\
// The model of {name}_int8.tflite. Written by EdgeRL; do not edit.
#include "{data}.h"

alignas(16) const unsigned char {data}[] = {{
    {("," + chr(10) + "    ").join(rows)},
}};
const int {data}_len = {len(model)};
"""
    return {f"{data}.h": header, f"{data}.cc": source}
