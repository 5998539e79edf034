"""Writing files and folders so that nothing is ever half written, and reading tables without pickles."""

import contextlib
import errno
import json
import lzma
import os
import secrets
import shutil
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.util.errors import UserError
from edgerl.util.json_text import to_json

# What a damaged or hostile archive makes NumPy and zipfile raise: RuntimeError where it is encrypted or nested deeply,
# NotImplementedError for a compression that is not there, MemoryError for a shape that no machine holds.
_NPZ_ERRORS = (
    *(ValueError, TypeError, KeyError, IndexError, OverflowError, SyntaxError, MemoryError, RuntimeError),
    *(OSError, EOFError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _make_folder(path: Path) -> None:
    """Makes a folder and its parents. Where a file is in the way, says so and not that it exists."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, f"{path} is not a folder") from error


def _remove(path: Path) -> None:
    """Removes a temporary file if it is there; the error that prevented it, if any, was told already."""
    with contextlib.suppress(OSError):
        path.unlink()


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `path` when the block ends well, and vanishes when it does not.

    Raises:
      UserError: `path` exists already, or its parent cannot be written to.
    """
    path = Path(path)
    must_be_new(path)
    temporary = _beside(path)
    with _os_errors(path):
        temporary.mkdir(parents=True)
    try:
        with _os_errors(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def must_be_new(path: str | Path) -> None:
    """Raises a `UserError` if `path` exists: to ask before long work whose result goes there."""
    if Path(path).exists():
        raise UserError(f"{path} exists already: name a folder that does not, or remove it")


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes `data` under a temporary name and renames it to `path`, replacing what was there."""
    path = Path(path)
    temporary = _beside(path)
    try:
        with _os_errors(path):
            _make_folder(path.parent)
            temporary.write_bytes(data)
            os.replace(temporary, path)
    finally:
        _remove(temporary)


def write_json(path: str | Path, value: Any) -> None:
    """Writes `value` as indented JSON, atomically; a number that is not finite as null."""
    write_bytes(path, (to_json(value, indent=2) + "\n").encode())


class NpzWriter:
    """An open `.npz` archive that arrays are added to, in memory or chunk by chunk. Use through `npz_writer`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def write(self, name: str, value: Any) -> None:
        """Adds an array."""
        array = np.asarray(value)
        self.write_rows(name, array.shape, array.dtype, [array])

    def write_rows(self, name: str, shape: tuple[int, ...], dtype: Any, chunks: Iterable[np.ndarray]) -> None:
        """Adds an array of `shape` whose rows come in chunks, so that it is never in memory as a whole."""
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
        entry.compress_type = self._archive.compression
        with self._archive.open(entry, "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            for chunk in chunks:
                member.write(np.ascontiguousarray(chunk, dtype).tobytes())


@contextlib.contextmanager
def npz_writer(path: str | Path, compress: bool = False) -> Iterator[NpzWriter]:
    """Opens an `.npz` that appears under `path` when the block ends well. Same arrays, same bytes: no time stamps."""
    path = Path(path)
    temporary = _beside(path)
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    try:
        with _os_errors(path):
            _make_folder(path.parent)
            with zipfile.ZipFile(temporary, "w", method) as archive:
                yield NpzWriter(archive)
            os.replace(temporary, path)
    finally:
        _remove(temporary)


def write_npz(path: str | Path, arrays: Mapping[str, Any], compress: bool = False) -> None:
    """Writes named arrays as `.npz`, atomically."""
    with npz_writer(path, compress) as writer:
        for name, value in arrays.items():
            writer.write(name, value)


class NpzReader:
    """An open `.npz` archive whose arrays can be read chunk by chunk. Use through `npz_reader`."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path = path
        self._archive = archive
        self.names = tuple(name.removesuffix(".npy") for name in archive.namelist())

    def shape_and_dtype(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """What an array is, without reading it."""
        with _npz_errors(self._path), self._archive.open(f"{name}.npy") as member:
            return self._header(name, member)[:2]

    def read(self, name: str) -> np.ndarray:
        """A whole array."""
        with _npz_errors(self._path):
            with self._archive.open(f"{name}.npy") as member:
                self._header(name, member)
            with self._archive.open(f"{name}.npy") as member:
                return np.lib.format.read_array(member, allow_pickle=False)

    def mapped(self, name: str) -> np.ndarray:
        """A whole array; where it is stored uncompressed, read-only and from disk as it is looked at."""
        shape, dtype = self.shape_and_dtype(name)
        with _npz_errors(self._path), open(self._path, "rb") as file:
            entry = self._archive.getinfo(f"{name}.npy")
            if entry.compress_type != zipfile.ZIP_STORED or 0 in shape or not shape:
                return self.read(name)
            file.seek(entry.header_offset + 26)
            name_length, extra_length = struct.unpack("<HH", file.read(4))
            file.seek(entry.header_offset + 30 + name_length + extra_length)
            self._by_rows(name, *self._header(name, file))
            return np.memmap(self._path, dtype, "r", file.tell(), shape)

    def rows(self, name: str, count: int) -> Iterator[np.ndarray]:
        """An array's rows, `count` at a time (fewer at the end)."""
        with _npz_errors(self._path), self._archive.open(f"{name}.npy") as member:
            shape, dtype = self._by_rows(name, *self._header(name, member))
            row_bytes = dtype.itemsize * int(np.prod(shape[1:]))
            for start in range(0, shape[0], count):
                rows = min(count, shape[0] - start)
                data = member.read(rows * row_bytes)
                if len(data) != rows * row_bytes:
                    raise UserError(f"{self._path}: {name} ends before its last row: the file is not complete")
                yield np.frombuffer(data, dtype).reshape(rows, *shape[1:])

    def _header(self, name: str, member: Any) -> tuple[tuple[int, ...], np.dtype, bool]:
        """Shape, type, and whether the array is stored by columns."""
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = read(member)
        if dtype.hasobject:
            raise UserError(f"{self._path}: {name} holds pickled objects, not plain numbers")
        if min(shape, default=0) < 0:
            raise UserError(f"{self._path}: {name} has shape {list(shape)}: the file is damaged")
        return shape, dtype, by_columns and len(shape) > 1

    def _by_rows(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype, by_columns: bool
    ) -> tuple[tuple[int, ...], np.dtype]:
        """What `_header` gives, if the array can be read row by row."""
        if by_columns:
            raise UserError(f"{self._path}: {name} is stored by columns: save np.ascontiguousarray({name})")
        return shape, dtype


@contextlib.contextmanager
def npz_reader(path: str | Path) -> Iterator[NpzReader]:
    """Opens an `.npz` for reading in chunks.

    Raises:
      UserError: the file is missing, is not an `.npz`, or what is read from it is damaged or pickled.
    """
    with _npz_errors(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield NpzReader(Path(path), archive)


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Reads every array of an `.npz`; pickled objects are refused.

    Raises:
      UserError: the file is missing, is not an `.npz`, or holds pickled objects.
    """
    # Opened here, not by np.load, which would leave the file open when it is no archive.
    with _npz_errors(path), open(path, "rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise UserError(f"{path} is a single array, not an .npz archive of named arrays")
        arrays = {name: archive[name] for name in archive.files}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):  # NumPy returns what is not an array as bytes
                raise ValueError(f"{name} is not an array")
        return arrays


def read_json(path: str | Path) -> Any:
    """Reads a JSON file, or raises a `UserError` that names it."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except (OSError, ValueError, RecursionError) as error:
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


# NumPy and zipfile on damaged archives; the last ones on absurd shapes, unknown methods, encryption, wrong offsets.
@contextlib.contextmanager
def _npz_errors(path: str | Path) -> Iterator[None]:
    """Turns what NumPy and zipfile raise on a file that cannot be used into one line."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    except _NPZ_ERRORS as error:
        raise UserError(f"{path} is not a readable .npz archive of plain arrays ({first_line(error)})") from error
