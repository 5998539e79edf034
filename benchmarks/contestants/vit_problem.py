"""What both contestants of `vit` train: weights, windows of images and labels, from numpy, the same for both."""

from typing import Any

import numpy as np

CLASSES, POSITIONS, KERNEL, SIDE = 10, 64, 4, 3
RATE, DECAY = 1e-3, 0.05


def weights(settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Kernels [in, out] by name; those of the blocks have the block as their first axis. Scales are 1, biases 0."""
    rng = np.random.default_rng(0)
    width, depth, hidden, stem = (settings[name] for name in ("width", "depth", "hidden", "stem"))
    shapes = {
        "first": (KERNEL * KERNEL * 3, stem),
        "second": (SIDE * SIDE * stem, width),
        "qkv": (depth, width, 3 * width),
        "out": (depth, width, width),
        "up": (depth, width, hidden),
        "down": (depth, hidden, width),
        "head": (width, CLASSES),
    }
    return {n: (rng.standard_normal(s) / s[-2] ** 0.5).astype(np.float32) for n, s in shapes.items()}


def batch(settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(windows float32 [B, k, 192], their places int32 [B, k], labels int32 [B])."""
    rng = np.random.default_rng(1)
    count, tokens = settings["batch"], settings["tokens"]
    windows = rng.standard_normal((count, tokens, 192)).astype(np.float32)
    rows = np.sort(rng.permuted(np.tile(np.arange(POSITIONS), (count, 1)), axis=1)[:, :tokens], axis=1)
    return windows, rows.astype(np.int32), rng.integers(0, CLASSES, count).astype(np.int32)
