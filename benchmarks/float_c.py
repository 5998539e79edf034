"""The same network as plain float C, as one would write it by hand: what the generated integer C is compared with."""

from pathlib import Path

import numpy as np

HEADER = """#include <stdint.h>
#define POLICY_FEATURES {features}
#define POLICY_ACTIONS {actions}
typedef int8_t policy_score;
void policy_infer(const int8_t input[POLICY_FEATURES], policy_score scores[POLICY_ACTIONS]);
int policy_argmax(const policy_score scores[POLICY_ACTIONS]);
int policy_act(const float obs[POLICY_FEATURES]);
int policy_self_test(void);
"""
# The functions that count instructions expect the generated code's interface; here all is done in `policy_act`.
SOURCE = """#include "policy.h"
{weights}
static void dense(const float *x, int inputs, const float *weights, const float *bias, int outputs, int relu, float *y)
{{
    int i, j;
    for (j = 0; j < outputs; j++) {{
        float sum = bias[j];
        for (i = 0; i < inputs; i++) {{
            sum += weights[j * inputs + i] * x[i];
        }}
        y[j] = relu && sum < 0 ? 0 : sum;
    }}
}}

void policy_infer(const int8_t input[POLICY_FEATURES], policy_score scores[POLICY_ACTIONS])
{{
    (void)input;
    (void)scores;
}}

int policy_argmax(const policy_score scores[POLICY_ACTIONS])
{{
    (void)scores;
    return 0;
}}

int policy_act(const float obs[POLICY_FEATURES])
{{
    static float buffers[2][{width}];
    int i, best = 0;
    for (i = 0; i < POLICY_FEATURES; i++) {{
        buffers[0][i] = obs[i];
    }}
{layers}
    for (i = 1; i < POLICY_ACTIONS; i++) {{
        best = buffers[{last}][i] > buffers[{last}][best] ? i : best;
    }}
    return best;
}}

int policy_self_test(void)
{{
    return 0;
}}
"""


def write(folder: Path, kernels: list[np.ndarray], biases: list[np.ndarray]) -> None:
    """`policy.c` and `policy.h` of a perceptron with ReLU between its layers; kernels float32 [in, out]."""
    arrays, layers = [], []
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        inputs, outputs = kernel.shape
        arrays += [_array(f"weights_{i}", kernel.T), _array(f"bias_{i}", bias)]
        relu = int(i + 1 < len(kernels))
        source, target = f"buffers[{i % 2}]", f"buffers[{(i + 1) % 2}]"
        layers.append(f"    dense({source}, {inputs}, weights_{i}, bias_{i}, {outputs}, {relu}, {target});")
    widths = [kernels[0].shape[0], *(kernel.shape[1] for kernel in kernels)]
    header = HEADER.format(features=widths[0], actions=widths[-1])
    source = SOURCE.format(
        weights="\n".join(arrays), layers="\n".join(layers), width=max(widths), last=len(kernels) % 2
    )
    (folder / "policy.h").write_text(header)
    (folder / "policy.c").write_text(source)


def _array(name: str, values: np.ndarray) -> str:
    numbers = ",\n    ".join(f"{value:.9e}f" for value in values.ravel())
    return f"static const float {name}[{values.size}] = {{\n    {numbers}\n}};"
