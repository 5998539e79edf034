"""How processes that work together find each other: checked before JAX waits, and without a long silence."""

import socket
import sys
import threading
import time
from collections.abc import Callable

from edgerl.util.distributed.endings import native_output_apart
from edgerl.util.errors import UserError

SECONDS = 300  # that processes wait for each other: they may start by hand, or in a slow queue
SILENT = 10  # after which a process that gives no sign is dead to the others, even while all compute by themselves
CONNECTING = 60  # that the others wait for process 0 to be there at all
_QUIET = 5  # seconds of waiting that need no word
_NOBODY = (
    f"the other processes did not come within {SECONDS} s: start every --process-id from 0, with one --coordinator"
)


def check(coordinator: str, is_first: bool) -> None:
    """Raises a `UserError` where the address of process 0 cannot be right, or nobody answers there.

    Args:
      coordinator: "HOST:PORT".
      is_first: whether this is process 0, which is about to listen there.
    """
    host, _, port = coordinator.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")  # of IPv6
    if not (host and port.isdecimal() and 1 <= int(port) < 2**16):
        raise UserError(f"--coordinator is '{coordinator}'; it must be HOST:PORT of process 0, for example node1:1234")
    try:
        socket.getaddrinfo(host, int(port))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a name"
        raise UserError(f"--coordinator is '{coordinator}': there is no host '{host}' ({reason})") from error
    if not is_first:
        _reach(coordinator, host, int(port))


def _reach(coordinator: str, host: str, port: int) -> None:
    """Waits until process 0 listens."""
    start, told = time.monotonic(), False
    while True:
        try:
            socket.create_connection((host, port), timeout=_QUIET).close()
            return
        except OSError as error:
            waited = time.monotonic() - start
            if waited > CONNECTING:
                raise UserError(
                    f"--coordinator is '{coordinator}': nobody answered there for {CONNECTING} s "
                    f"({error.strerror or error}); start process 0 there first, and see that no firewall is between"
                ) from error
            if waited > _QUIET and not told:
                _tell(f"waiting for process 0 at {coordinator}, {CONNECTING} s at most")
                told = True
        time.sleep(0.2)


def wait(name: str, initialize: Callable[[], None]) -> None:
    """Calls `initialize`, which waits for the others in C++, in a thread, so that Ctrl-C ends the waiting.

    Where the others do not come, JAX's runtime aborts the process: with one line and status 2.
    """
    failed: list[BaseException] = []

    def work() -> None:
        try:
            initialize()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    with native_output_apart(name, _NOBODY):
        thread.start()
        thread.join(_QUIET)
        if thread.is_alive():
            _tell(f"waiting for the other processes, {SECONDS} s at most")
        while thread.is_alive():
            thread.join(0.1)
    if failed:
        raise failed[0]


def _tell(line: str) -> None:
    print(f"edgerl: {line}", file=sys.stderr, flush=True)
