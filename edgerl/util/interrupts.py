"""Ctrl-C at a moment when it would leave something half done."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def held() -> Iterator[None]:
    """An interrupt that arrives within the block takes effect at its end. Only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: arrived.append((number, frame)))
    try:
        yield
    finally:
        # None is a handler that Python did not set; it cannot be called, and Python's own is what a user expects.
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
    if arrived and callable(before):
        before(*arrived[0])
