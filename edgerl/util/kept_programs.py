"""The folder of compiled programs that JAX keeps from one process to the next: what is cut or too much goes.

JAX has a limit of its own. With it, whoever keeps a program locks the folder and reads the date of every other: with
10,000 programs that took 1.1 seconds for each new one (JAX 0.10.2). Without a limit it neither locks nor dates
them, so that a process that is killed, or a full disk, leaves a program that is cut: JAX would warn of it each time
and never replace it. So both are looked after here, when a process starts and the folder has changed.
"""

import contextlib
import os
import time
import zlib
from pathlib import Path

BYTES = 2**30  # of all programs together
WRITING_SECONDS = 60.0  # after which nobody is writing a program any more
_MARK = ".looked-after"  # its date: all older programs were looked at


def look_after(folder: Path) -> None:
    """Removes cut programs and, above the limit, those used longest ago. What cannot be removed stays."""
    mark = folder / _MARK
    looked = _modified(mark)
    if looked >= _modified(folder):
        return
    until = time.time() - WRITING_SECONDS
    with contextlib.suppress(OSError):
        kept = [entry for entry in os.scandir(folder) if entry.name.endswith("-cache")]
        sizes = {}
        for entry in kept:
            status = entry.stat()
            if looked < status.st_mtime < until and _is_cut(Path(entry.path)):
                os.unlink(entry.path)
            else:
                sizes[entry.path] = (max(status.st_atime, status.st_mtime), status.st_size)
        _reduce(sizes)
        mark.touch()
        os.utime(mark, (until, until))


def _reduce(sizes: dict[str, tuple[float, int]]) -> None:
    """Removes the programs used longest ago until a tenth of the limit is free; nothing where the limit is kept."""
    total = sum(size for _, size in sizes.values())
    if total <= BYTES:
        return
    for path in sorted(sizes, key=sizes.__getitem__):
        if total <= 0.9 * BYTES:
            break
        os.unlink(path)
        total -= sizes[path][1]


def _is_cut(path: Path) -> bool:
    """Whether the end of a program is missing. Only what zlib has packed can be told; JAX may use zstandard."""
    data = path.read_bytes()
    if data[:1] not in (b"", b"\x78"):
        return False
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(data)
    except zlib.error:
        return True
    return not unpacking.eof


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
