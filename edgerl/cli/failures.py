"""What a failed command says: one line and an exit status for every way in which its input, or the machine that it
runs on, can be at fault. What is left is a fault of ours, and shows its traceback."""

import contextlib
import os
import sys
from collections.abc import Iterator

from edgerl.util.distributed.endings import end
from edgerl.util.errors import UserError, one_line

WRONG, INTERRUPTED = 2, 130
OUTPUT = "standard output"


def told(error: BaseException, place: str) -> tuple[int, str] | None:
    """(exit status, line) of an error; None where it is nobody's but ours. An empty line: nothing to say.

    Args:
      place: what the command was writing, for a system's refusal that does not say where.
    """
    if isinstance(error, UserError):
        return WRONG, str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, f"interrupted{f'; {error}' if str(error) else ''}"
    if isinstance(error, ImportError) and isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"  # while a library's C++ part was loaded
    if isinstance(error, BrokenPipeError):
        return 0, ""  # its reader went away (`| head`)
    if isinstance(error, MemoryError) or _no_memory(error):
        return WRONG, "not enough memory: take fewer or smaller environments, seeds, networks or batches"
    if isinstance(error, RecursionError):
        return WRONG, "a file that it reads is nested too deeply"
    if isinstance(error, OSError):
        name = error.filename if isinstance(error.filename, str | bytes) else place
        return WRONG, f"{error.strerror or error}: {os.fsdecode(name)}"
    if isinstance(error, RuntimeError) and "Unable to initialize backend" in str(error):
        return WRONG, f"JAX does not start: {str(error).splitlines()[0]}"
    return None


def report(command: str, place: str, error: BaseException) -> int:
    """Prints the line of an error that has one and returns its status; raises any other."""
    found = told(error, place)
    if found is None:
        raise error
    status, line = found
    if isinstance(error, OSError) and error.filename == OUTPUT:
        drop_output()
    if line:
        print(f"{command}: {one_line(line)}", file=sys.stderr)
    return status


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Standard output's refusals (full disk, a reader that went away) with its name."""
    try:
        yield
        sys.stdout.flush()  # here, where a refusal can be told
    except OSError as error:
        raise OSError(error.errno, error.strerror, OUTPUT) from error


def drop_output() -> None:
    """What is not written yet goes nowhere, so that it is not tried again at the end."""
    with contextlib.suppress(OSError):  # one of a program's own has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def prepare_streams() -> None:
    """Standard output and error of a process that the shell starts: there, and able to print any file's name."""
    closed = sys.stdout is None  # by `>&-`
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    if closed:
        end(WRONG, "edgerl: standard output is closed: send it somewhere, for example to /dev/null")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _no_memory(error: BaseException) -> bool:
    """XLA's own words, and those of C++."""
    text = str(error)
    return isinstance(error, RuntimeError | ValueError) and any(
        word in text for word in ("RESOURCE_EXHAUSTED", "Out of memory", "std::bad_alloc", "Unable to allocate")
    )
