"""What a piece of work will take, told before it starts: a machine that runs out of memory ends a program without a
word, or swaps for hours."""

import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgerl.util.errors import UserError

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_CGROUP = Path("/sys/fs/cgroup")
_CONTAINERS = (  # a container's folder, limit, use, and what of its use is only a cache of files: version 2 and 1
    (_CGROUP, "memory.max", "memory.current", "inactive_file"),
    (_CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def require(what: str, needed: int, advice: str, devices: Iterable[Any] = ()) -> None:
    """Raises a `UserError` if `what` needs more bytes than are free.

    Args:
      what: begins the message, for example "num_seeds = 1000000000".
      needed: bytes, on all devices together; an estimate that is rather too low than too high.
      advice: what to do instead.
      devices: `jax.Device`s that hold them; none: the host.
    """
    free = available(devices)
    if needed > free:
        raise UserError(f"{what}: about {amount(needed)} of memory needed, {amount(free)} free: {advice}")


def available(devices: Iterable[Any] = ()) -> int:
    """Bytes that are free on the devices together, where they say so, or else on this host."""
    stats = [device.memory_stats() if device.platform != "cpu" else None for device in devices]
    if stats and all(s and "bytes_limit" in s for s in stats):
        return sum(s["bytes_limit"] - s.get("bytes_in_use", 0) for s in stats if s)
    return min([*_host(), *_container(), *_process()], default=sys.maxsize)


def size_of(tree: Any) -> int:
    """Bytes of the arrays of a pytree, or of what `jax.eval_shape` says of them."""
    import jax

    return sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(tree))


def amount(count: float) -> str:
    """Bytes in words, for example "4.2 TB"."""
    count = min(count, 1e30)
    step = min((len(str(int(count))) - 1) // 3, len(_UNITS) - 1)
    return f"{count / 1000**step:.3g} {_UNITS[step]}"


def duration(seconds: float) -> str:
    """A time in words, for example "3 hours"."""
    for name, length in (("year", 365 * 86400.0), ("day", 86400.0), ("hour", 3600.0), ("minute", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:,.0f} {name}s"
    return f"{seconds:.0f} seconds"


def _host() -> list[int]:
    """By Linux's own account, or else all that the machine has."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except OSError:
        names = ("SC_PAGE_SIZE", "SC_PHYS_PAGES")
        known = set(names) <= set(getattr(os, "sysconf_names", ()))
        return [math.prod(os.sysconf(name) for name in names)] if known else []


def _container() -> list[int]:
    """What is left of a container's share."""
    left = []
    for folder, limit, used, cache in _CONTAINERS:
        try:
            rows = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
            cached = next((int(value) for name, value in rows if name == cache), 0)
            numbers = (int((folder / name).read_text()) for name in (limit, used))
            left.append(max(0, next(numbers) - next(numbers) + cached))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return left


def _process() -> list[int]:
    """What `ulimit -v` leaves."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return []
    return [] if limit == resource.RLIM_INFINITY else [max(0, limit - used)]
