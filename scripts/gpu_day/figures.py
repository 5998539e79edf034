"""What a part has measured so far, in a file that is whole at every moment, so that a cut loses one row at most."""

import time
from pathlib import Path
from typing import Any

from edgerl.util import files


class Figures:
    """Rows of one part.

    Args:
      path: of the JSON file, written anew after each row.
      seconds: that the part may take, from now on.
      toy: whether every size is to be tiny.
    """

    def __init__(self, path: Path, seconds: float, toy: bool) -> None:
        self.toy, self.folder = toy, path.parent
        self._path, self._end = path, time.monotonic() + seconds
        self._found: dict[str, Any] = {}

    def add(self, table: str, **row: Any) -> None:
        """Adds a row to one of the part's tables."""
        self._found.setdefault(table, []).append(row)
        files.write_json(self._path, self._found)

    def left(self) -> float:
        """Seconds until the part should have ended."""
        return self._end - time.monotonic()
