"""Opening an export folder that anybody may have changed: nothing is read that its report does not list."""

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgerl.deploy import names
from edgerl.util import files
from edgerl.util.errors import UserError

REPORT = "report.json"
PAGE = "demo/index.html"
NO_PAGE = f"no {PAGE}, the page that plays in a browser"  # how the remark of an export without it begins
NEEDED = (".h", ".c", ".npz", "_int8.tflite", "_int8.npz", "_model_data.h", "_model_data.cc")  # behind the name
_LARGEST_FILE = 2**28  # bytes; no export comes near
_LARGEST_REPORT = 2**24
_LARGEST_ARENA = 2**31 - 1


@dataclass(frozen=True)
class Folder:
    """An export folder as it lies there.

    Attributes:
      path: of the folder.
      report: what is in `report.json`.
      listed: relative paths of all its files but the report.
      changed: those whose hash is not the report's.
    """

    path: Path
    report: dict[str, Any]
    listed: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def arena(self) -> int:
        """Bytes that TFLM was measured to need."""
        value = self._section("size").get("tflm_arena")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_ARENA:
            raise self._wrong("size.tflm_arena", value, "a whole number of bytes")
        return value

    @property
    def environment(self) -> dict[str, Any] | None:
        """{id, params} as `export` wrote it."""
        value = self.report.get("environment")
        if value is None:
            return None
        named = isinstance(value, dict) and isinstance(value.get("id"), str) and isinstance(value.get("params"), dict)
        if not named or not all(isinstance(number, bool | int | float) for number in value["params"].values()):
            raise self._wrong("environment", value, "null or an id and params that are numbers")
        for key in ("observations", "actions"):
            texts = value.get(key)
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise self._wrong(f"environment.{key}", texts, "a list of words")
        return value

    @property
    def name(self) -> str:
        """What the export is called in firmware."""
        return names.checked(self.report.get("name", ""))

    @property
    def extra(self) -> dict[str, dict[str, Any]]:
        """What each extra generator was told."""
        value = self.report.get("extra", {})
        if not isinstance(value, dict) or not all(isinstance(said, dict) for said in value.values()):
            raise self._wrong("extra", value, "an object of objects")
        return value

    def page(self) -> Path:
        """The page that plays in a browser, as `export` wrote it.

        Raises:
          UserError: there is none, or it was changed.
        """
        if PAGE not in self.listed:
            remarks = self.report.get("remarks")
            told = [str(line) for line in remarks if str(line).startswith(NO_PAGE)] if isinstance(remarks, list) else []
            why = f"{told[0]}; then export again" if told else f"no {PAGE}: export again"
            raise UserError(f"{self.path} has {why}")
        if PAGE in self.changed:
            raise UserError(f"{self.path / PAGE} changed since the export: export again, or see `edgerl verify`")
        return self.path / PAGE

    def _section(self, name: str) -> dict[str, Any]:
        value = self.report.get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, value, "an object")
        return value

    def _wrong(self, name: str, value: Any, expected: str) -> UserError:
        return UserError(f"{self.path / REPORT}: {name} is {ascii(value)[:80]}, expected {expected}")


def open_folder(path: str | Path) -> Folder:
    """Reads the report, and compares the files with its list.

    Raises:
      UserError: not an export; a file is not in the list, is missing, unreadable, absurdly large, or no plain file.
    """
    folder = Path(path)
    report = _read_report(folder)
    hashes = report.get("files")
    name = report.get("name")
    if not isinstance(hashes, dict) or not {*(f"{name}{end}" for end in NEEDED), "observations.npz"} <= set(hashes):
        raise UserError(f"{folder / REPORT} is not the report of an export: it lists no files with their hashes")
    for name in hashes:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or str(pure) != name:
            raise UserError(f"{folder / REPORT} names a file outside of the folder: {shown(name)}")
    found = set()
    for name in _walk(folder):
        if name != REPORT and name not in hashes:
            raise UserError(
                f"{folder / shown(name)} is not one of the files that report.json lists: remove it, or export again; "
                "nothing was compiled"
            )
        found.add(name)
    missing = sorted(set(hashes) - found)
    if missing:
        raise UserError(f"{folder / shown(missing[0])} does not exist, but report.json lists it")
    changed = tuple(name for name, expected in hashes.items() if _digest(folder / name) != expected)
    for name in hashes:
        if name.endswith(".npz"):
            _check_archive(folder / name)
    return Folder(folder, report, tuple(hashes), changed)


def _read_report(folder: Path) -> dict[str, Any]:
    path = folder / REPORT
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "is not a folder"
        raise UserError(f"{folder} {what}; make an export with `edgerl export RUN --out FOLDER`")
    if not os.path.lexists(path):
        if (folder / "run.json").is_file():
            raise UserError(
                f"{folder} is a run, not an export: `edgerl export {folder} --out FOLDER`, then verify that folder"
            )
        raise UserError(f"{folder} is no export: {path} does not exist; `edgerl export RUN --out FOLDER` makes one")
    _plain(path, path.name, _LARGEST_REPORT)
    try:
        report = files.read_json(path)
    except RecursionError as error:
        raise UserError(f"{path} is not readable JSON (too deeply nested)") from error
    if not isinstance(report, dict):
        raise UserError(f"{path} is not the report of an export: it holds a {type(report).__name__}, not an object")
    return report


def _walk(folder: Path) -> Iterator[str]:
    """Relative paths of all files; a link, a device or a folder that cannot be read is refused."""

    def refuse(error: OSError) -> None:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from error

    for root, folders, found in os.walk(folder, onerror=refuse):
        for name in folders:
            if os.path.islink(os.path.join(root, name)):
                raise UserError(f"{Path(root) / shown(name)} is a link: an export holds plain files only")
        for name in found:
            path = Path(root) / name
            relative = path.relative_to(folder).as_posix()
            _plain(path, relative, _LARGEST_FILE)
            yield relative


def _plain(path: Path, name: str, largest: int) -> None:
    """Refuses what is no regular file of a sensible size."""
    try:
        found = os.lstat(path)
    except OSError as error:
        raise UserError(f"cannot read {path.parent / shown(path.name)}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path.parent / shown(path.name)} is no plain file: an export holds nothing else")
    if found.st_size > largest:
        raise UserError(f"{path.parent / shown(path.name)} has {found.st_size} bytes, more than any export's {name}")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _check_archive(path: Path) -> None:
    """Refuses what `export` never writes and would fill the memory: compressed arrays, more than the file holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise UserError(f"{path} is not a readable .npz archive ({files.first_line(error)})") from error
    compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if compressed or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise UserError(f"{path} is not as export writes it: its arrays are compressed or larger than the file")


def shown(name: str) -> str:
    """A name in a message: whatever it holds, in one printable line."""
    return name if name.isprintable() else ascii(name)
