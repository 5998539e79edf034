"""From a policy to files for a microcontroller, and the proof that they compute what was simulated.

export(policy, observations, out, env=…) -> report       writes the folder
quantise(policy, observations) -> Int8Policy             the same without the files
verify(out, num_vectors=…) -> report                     compares JAX, TFLM and the C on eight machines
load(out) -> Int8Policy                                  the deployed policy, callable in JAX
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgerl.deploy.exporting import export, quantise
    from edgerl.deploy.int8_policy import Int8Policy, load
    from edgerl.deploy.verification import verify

_LAZY = {
    "Int8Policy": "edgerl.deploy.int8_policy",
    "load": "edgerl.deploy.int8_policy",
    "export": "edgerl.deploy.exporting",
    "quantise": "edgerl.deploy.exporting",
    "verify": "edgerl.deploy.verification",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'edgerl.deploy' has no attribute '{name}'")


__all__ = ["Int8Policy", "export", "load", "quantise", "verify"]
