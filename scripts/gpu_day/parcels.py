"""A large file in parts that a machine gives back, and the file again."""

from pathlib import Path

from edgerl.util import files

LARGEST = 15 * 2**20  # bytes of a part


def split(path: Path, folder: Path, largest: int = LARGEST) -> list[str]:
    """Writes `NAME.0`, `NAME.1`, … into the folder; returns their names. `cat NAME.*` is the file again."""
    data = path.read_bytes()
    parts = [data[at : at + largest] for at in range(0, len(data), largest)]
    names = [f"{path.name}.{number}" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        files.write_bytes(folder / name, part)
    return names


def joined(folder: Path, name: str) -> bytes:
    """The file whose parts `split` wrote."""
    parts = sorted(folder.glob(f"{name}.*"), key=lambda path: int(path.suffix[1:]))
    return b"".join(part.read_bytes() for part in parts)
