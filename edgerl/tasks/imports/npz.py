"""Arrays in NumPy's `.npz`."""

import math
from pathlib import Path

import numpy as np

from edgerl.tasks.imports.reading import MOST_BYTES
from edgerl.util import files
from edgerl.util.errors import UserError


def is_npz(names: frozenset[str]) -> bool:
    """Whether a zip archive with these members is NumPy's."""
    return bool(names) and all(name.endswith(".npy") for name in names)


def read(path: Path) -> dict[str, np.ndarray]:
    """Name → array, in the file's order.

    Raises:
      UserError: damaged, pickled, or larger than a policy.
    """
    with files.npz_reader(path) as reader:
        left = MOST_BYTES
        for name in reader.names:
            shape, dtype = reader.shape_and_dtype(name)
            left -= math.prod(shape) * dtype.itemsize
            if left < 0:
                raise UserError(f"{path}: {name} has shape {list(shape)}: too large for a policy")
        return {name: reader.read(name) for name in reader.names}
