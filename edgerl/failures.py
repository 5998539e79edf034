"""What a failed command says: one line and an exit status for every way in which its input, or the machine that it
runs on, can be at fault. What is left is a fault of ours, and shows its traceback."""

import os
import sys

from edgerl.core.endings import end
from edgerl.core.errors import UserError, one_line

WRONG, INTERRUPTED = 2, 130


def told(error: BaseException) -> tuple[int, str] | None:
    """(exit status, line) of an error; None where it is nobody's but ours. An empty line: nothing to say."""
    if isinstance(error, UserError):
        return WRONG, str(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, f"interrupted{f'; {error}' if str(error) else ''}"
    if isinstance(error, BrokenPipeError):
        return 0, ""  # its reader went away (`| head`)
    if isinstance(error, MemoryError) or _no_memory(error):
        return WRONG, "not enough memory for that: take fewer or smaller environments, seeds, networks or batches"
    if isinstance(error, RecursionError):
        return WRONG, "a file that it reads is nested too deeply to be read"
    if isinstance(error, OSError):
        return WRONG, f"{error.strerror or error}: {_file(error)}"
    if isinstance(error, RuntimeError) and "Unable to initialize backend" in str(error):
        return WRONG, f"JAX does not start: {str(error).splitlines()[0]}"
    return None


def report(command: str, error: BaseException) -> int:
    """Prints the line of an error that has one and returns its status; raises any other."""
    found = told(error)
    if found is None:
        raise error
    status, line = found
    if not isinstance(error, UserError | KeyboardInterrupt):
        drop_output()  # it may be what cannot be written
    if line:
        print(f"{command}: {one_line(line)}", file=sys.stderr)
    return status


def drop_output() -> None:
    """What is not written yet goes nowhere, so that it is not tried again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def prepare_streams() -> None:
    """Standard output and error of a process that the shell starts: there, and able to print any file's name."""
    if sys.stderr is None:  # closed by `2>&-`
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115: for the rest of the process
    if sys.stdout is None:
        end(WRONG, "edgerl: standard output is closed: send it somewhere, for example to /dev/null")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _no_memory(error: BaseException) -> bool:
    """XLA's own words, and those of C++."""
    text = str(error)
    return isinstance(error, RuntimeError | ValueError) and any(
        word in text for word in ("RESOURCE_EXHAUSTED", "Out of memory", "std::bad_alloc", "Unable to allocate")
    )


def _file(error: OSError) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "standard output"
