"""Serial lines: to a board, and to a process that stands for one."""

import dataclasses
import select
import subprocess
import time
from typing import Protocol

from edgerl.util.errors import UserError

BAUD = 115200


class Line(Protocol):
    """A serial line."""

    def write(self, data: bytes) -> None:
        """Sends bytes."""
        ...

    def readline(self, seconds: float) -> bytes:
        """What comes until an end of line, at most for so long; without the end where it did not come."""
        ...


@dataclasses.dataclass
class Pipes:
    """The line to a process."""

    process: subprocess.Popen[bytes]
    _rest: bytes = b""

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def readline(self, seconds: float) -> bytes:
        output, end = self.process.stdout, time.monotonic() + seconds
        assert output is not None
        while b"\n" not in self._rest:
            ready = select.select([output], [], [], max(0.0, end - time.monotonic()))[0]
            data = output.read(4096) if ready else b""
            if not data:
                break
            self._rest += data
        line, newline, self._rest = self._rest.partition(b"\n")
        return line + newline


class Port:
    """The line to a board, by pySerial."""

    def __init__(self, port: str) -> None:
        try:
            import serial
        except ImportError as error:
            raise UserError("--port needs pySerial: pip install 'edgerl[serial]'") from error
        try:
            self._port = serial.Serial(port, BAUD)
        except (serial.SerialException, OSError, ValueError) as error:
            raise UserError(f"cannot open the port {port}: {error}") from error

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def readline(self, seconds: float) -> bytes:
        self._port.timeout = seconds
        return bytes(self._port.readline())

    def close(self) -> None:
        self._port.close()
