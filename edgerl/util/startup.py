"""What JAX reads from the environment when it is imported: set before that, unless the user has set it."""

import os
import re
import sys
from pathlib import Path

from edgerl.util import kept_programs
from edgerl.util.errors import UserError

LEAST_SECONDS = "0.05"  # of compiling, for a program to be kept

_set: dict[str, str] = {}  # variables that `prepare_jax` has set


def prepare_jax() -> None:
    """One CPU device a core, and compiled programs kept on disk. Does nothing where JAX is there already."""
    if "jax" in sys.modules:
        return
    # JAX shows a host as one device unless told otherwise before it starts; `simulate` wants one device a core.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    _set_default("JAX_NUM_CPU_DEVICES", str(cores))
    cache = cache_folder("xla")
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ and writable(cache):
        kept_programs.look_after(cache)
        _set_default("JAX_COMPILATION_CACHE_DIR", str(cache))
        _set_default("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", LEAST_SECONDS)


def _set_default(name: str, value: str) -> None:
    if name not in os.environ:
        os.environ[name] = _set[name] = value


def require_jax(devices: bool) -> None:
    """Raises a `UserError` where JAX does not start with the variables that the user has set; tries nothing without.

    Args:
      devices: whether to look for the devices as well; not before `jax.distributed` has begun.
    """
    chosen = {n: v for n, v in os.environ.items() if n.startswith("JAX_") and _set.get(n) != v}
    if not chosen:
        return
    try:
        import jax

        if devices:
            jax.devices()
    except Exception as error:  # plugins raise anything, AssertionErrors without a word among it
        text = str(error)
        named = [name for name in chosen if name in text or name.lower() in text]
        shown = named or [name for name in ("JAX_PLATFORMS",) if name in chosen] or list(chosen)
        said = " ".join(f"{name}={chosen[name]}" for name in shown)
        reason = (text.splitlines() or ["no such device, or JAX is installed without it"])[0]
        reason = re.sub(r" \((set JAX_PLATFORMS|you may need).*", "", reason)
        raise UserError(f"JAX does not start with {said}: {reason}; unset it, and JAX chooses by itself") from error


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
