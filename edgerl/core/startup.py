"""What JAX reads from the environment when it is imported: set before that, unless the user has set it."""

import os
import sys
from pathlib import Path

CACHE_BYTES = 2**30  # the least recently used programs go first
LEAST_SECONDS = "0.05"  # of compiling, for a program to be kept


def prepare_jax() -> None:
    """One CPU device a core, and compiled programs kept on disk. Does nothing where JAX is there already."""
    if "jax" in sys.modules:
        return
    # JAX shows a host as one device unless told otherwise before it starts; `simulate` wants one device a core.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(cores))
    cache = cache_folder("xla")
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ and writable(cache):
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
        os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(CACHE_BYTES))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", LEAST_SECONDS)


def cache_folder(kind: str) -> Path:
    """Where work is kept that would be done again: `edgerl/KIND` in XDG_CACHE_HOME, by default in ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache").expanduser()) / "edgerl" / kind


def writable(folder: Path) -> bool:
    """Whether files can be made there; the folder is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return False
    return os.access(folder, os.W_OK | os.X_OK)
