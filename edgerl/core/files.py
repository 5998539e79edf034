"""Writing files and folders so that nothing is ever half written, and reading tables without pickles."""

import contextlib
import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.core.errors import UserError


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `path` when the block ends well, and vanishes when it does not.

    Raises:
      UserError: `path` exists already, or its parent cannot be written to.
    """
    path = Path(path)
    if path.exists():
        raise UserError(f"{path} exists already: name a folder that does not, or remove it")
    temporary = _beside(path)
    with _os_errors(path):
        temporary.mkdir(parents=True)
    try:
        with _os_errors(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes `data` under a temporary name and renames it to `path`, replacing what was there."""
    path = Path(path)
    temporary = _beside(path)
    try:
        with _os_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Writes `value` as indented JSON, atomically."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def write_npz(path: str | Path, arrays: Mapping[str, Any], compress: bool = False) -> None:
    """Writes named arrays as `.npz`, atomically. Same arrays, same bytes: the archive carries no time stamps."""
    path = Path(path)
    temporary = _beside(path)
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    try:
        with _os_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(temporary, "w", method) as archive:
                for name, value in arrays.items():
                    entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
                    entry.compress_type = method
                    with archive.open(entry, "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, np.asarray(value), allow_pickle=False)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Reads every array of an `.npz`; pickled objects are refused.

    Raises:
      UserError: the file is missing, is not an `.npz`, or holds pickled objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise UserError(f"{path} is a single array, not an .npz archive of named arrays")
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except UserError:
        raise
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a readable .npz archive of plain arrays ({first_line(error)})") from error


def read_json(path: str | Path) -> Any:
    """Reads a JSON file, or raises a `UserError` that names it."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not readable JSON ({first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type's name where it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextlib.contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals (read-only folder, full disk) into one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
