"""Pictures on disk: whole or not at all, however full the disk is."""

import io
from pathlib import Path
from typing import Any

from edgerl.util import files


def save_figure(figure: Any, path: Path, dpi: int = 150) -> Path:
    """Writes a matplotlib figure in the format of its file's name, closes it, and returns the path."""
    import matplotlib.pyplot as plt

    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi, format=path.suffix.removeprefix(".") or None)
    plt.close(figure)
    files.write_bytes(path, drawn.getvalue())
    return path
