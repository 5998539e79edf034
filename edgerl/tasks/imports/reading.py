"""Foreign files, opened: never more of them in memory than a policy's file may have."""

import io
import json
import lzma
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from edgerl.util.errors import UserError
from edgerl.util.files import first_line

MOST_BYTES = 2**26  # of a file, and of what is unpacked from it; a policy of a microcontroller has a thousandth
_MOST_JSON = 2**23
_ARCHIVE_ERRORS = (
    *(ValueError, LookupError, RuntimeError, NotImplementedError, OverflowError, MemoryError),
    *(OSError, EOFError, struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


def contents(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
      UserError: it is not there, no file, or larger than `MOST_BYTES`.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{path} is no file: name the file of a policy")
        if found.st_size <= MOST_BYTES:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            if len(data) <= MOST_BYTES:
                return data
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    raise UserError(f"{path} has more than {MOST_BYTES >> 20} MiB: it is no policy for a microcontroller")


class Archive:
    """A zip archive in memory, of which at most `MOST_BYTES` are unpacked."""

    def __init__(self, data: bytes, where: str) -> None:
        """Opens it.

        Raises:
          UserError: it is no zip archive.
        """
        self._where, self._left = where, MOST_BYTES
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except _ARCHIVE_ERRORS as error:
            raise UserError(f"{where} is no readable zip archive ({first_line(error)})") from error
        self.names = frozenset(self._archive.namelist())

    def read(self, name: str) -> bytes:
        """A member.

        Raises:
          UserError: it is not there, damaged, encrypted, or more than may be unpacked.
        """
        if name not in self.names:
            raise UserError(f"{self._where} has no member {name}")
        info = self._archive.getinfo(name)
        if info.file_size > self._left:
            raise UserError(f"{self._where}: {name} is {info.file_size:,} bytes when unpacked, too many for a policy")
        self._left -= info.file_size
        try:
            return self._archive.read(name)
        except _ARCHIVE_ERRORS as error:
            raise UserError(f"{self._where}: {name} is damaged ({first_line(error)})") from error


def json_object(data: bytes, where: str) -> dict[str, Any]:
    """The object that a JSON text holds.

    Raises:
      UserError: it is no JSON, has a key twice, is no object, or is longer than a policy's.
    """
    if len(data) > _MOST_JSON:
        raise UserError(f"{where} has {len(data):,} bytes of JSON; at most {_MOST_JSON:,} are read")
    try:
        found = json.loads(data.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not readable JSON ({first_line(error)})") from error
    if not isinstance(found, dict):
        raise UserError(f"{where} is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
