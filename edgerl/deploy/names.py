"""What an export is called in firmware: a prefix for files, symbols, macros and packages; several fit into one."""

import hashlib
import json
import re
from pathlib import Path

from edgerl.util.errors import UserError

DEFAULT = "policy"
_ENDINGS = ("exits", "stream", "network", "cascade", "model_data", "tflm", "int8")  # those of an export's own files
# C's standard headers, and words that a board's software development kit is likely to have as a file of its own.
_TAKEN = (
    *("assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "iso646", "limits", "locale", "math"),
    *("setjmp", "signal", "stdalign", "stdarg", "stdatomic", "stdbool", "stddef", "stdint", "stdio", "stdlib"),
    *("stdnoreturn", "string", "tgmath", "threads", "time", "uchar", "wchar", "wctype", "main", "arduino", "sdkconfig"),
)


def checked(name: str) -> str:
    """The name itself.

    Raises:
      UserError: it is no word of lower case that C, its macros in upper case and every file system tell apart.
    """
    if not isinstance(name, str) or re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name) is None or "__" in name:
        shown = repr(name)[:60]
        raise UserError(
            f"name is {shown}, expected a word like 'pole' or 'left_motor': a-z, 0-9 and single _, at most 31"
        )
    if name in _TAKEN:
        raise UserError(f"name is '{name}', but {name}.h is a header of C or of a board: choose another")
    if name.endswith(tuple(f"_{ending}" for ending in _ENDINGS)):
        raise UserError(f"name is '{name}', but an export called '{name.rpartition('_')[0]}' has files of that name")
    return name


def words(name: str, stamp: str) -> dict[str, str]:
    """What templates call it: `p` for symbols and files, `P` for macros, `stamp` for symbols that belong together.

    Args:
      stamp: a hash in hexadecimal, of the model for example.
    """
    return {"p": name, "P": name.upper(), "stamp": stamp[:8], "model": stamp}


def of_folder(folder: Path) -> str:
    """What the export in a folder is called, as far as its report can be read."""
    try:
        return checked(json.loads((folder / "report.json").read_text())["name"])
    except (OSError, ValueError, LookupError, TypeError, UserError):
        return DEFAULT


def stamp_of(*contents: str) -> str:
    """A hash of texts, for symbols of what follows from them."""
    return hashlib.sha256("\0".join(contents).encode()).hexdigest()
