"""How programs over several devices of one processor are compiled."""

from typing import Any

import jax
import numpy as np

# One device a core and many small kernels: handing a kernel to another thread costs more than the kernel.
_CPU = {
    "xla_cpu_multi_thread_eigen": False,
    "xla_cpu_prefer_vector_width": 512,
    "xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED",
}


def compiler_options(devices: np.ndarray) -> dict[str, Any] | None:
    """For `jax.jit` of a program in which each of the devices, an array of `jax.Device`, works by itself."""
    first: jax.Device = devices.flat[0]
    return _CPU if first.platform == "cpu" else None
