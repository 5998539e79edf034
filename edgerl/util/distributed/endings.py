"""How a process that works with others ends when one of them is gone: at once, with one line."""

import contextlib
import ctypes
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import NoReturn

LOST = 3  # the exit status of a process whose partner is gone


@contextlib.contextmanager
def native_output_apart(name: str, alone: str | None = None) -> Iterator[None]:
    """Within the block, standard output and error are Python's alone. What C++ parts write is shown only if they abort.

    Gloo writes a line to standard output. And when process 0 is gone, JAX's runtime aborts the others at once, with a
    page of addresses, even while they compute: of that, one line is left.

    Args:
      alone: while the others have not joined yet: the line that says so, which ends the process with status 2.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as told, os.fdopen(os.dup(1), "w") as out, os.fdopen(os.dup(2), "w", 1) as err:

        def aborted(_: int) -> None:
            text = os.pread(told.fileno(), 2**20, 0).decode(errors="replace")
            if "distributed service" in text and alone is not None:
                end(2, f"{name}: {alone}")
            if "distributed service" in text:
                end(LOST, f"{name}: {loss(text.rpartition('absl::Status: ')[2])}")
            end(128 + signal.SIGABRT, text)

        handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(aborted)
        libc = ctypes.CDLL(None)
        libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
        before = libc.signal(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                yield
        finally:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            libc.signal(signal.SIGABRT, before)


_ending = threading.Lock()


def end(status: int, line: str = "") -> NoReturn:
    """Ends the process without waiting for the partners. Only the first caller comes to print."""
    _ending.acquire()
    if line:
        print(line, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def loss(reason: str) -> str:
    """The line that says that a partner is gone."""
    brief = re.sub(r"\[\S+\.\w+:\d+\] ", "", reason.partition("\n")[0])[:160]  # without places in C++ files
    return f"another process is gone ({brief}); start all again, and a training goes on from its last checkpoint"
