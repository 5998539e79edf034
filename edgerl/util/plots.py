"""Pictures: their look, and on disk whole or not at all, however full the disk is."""

import io
from pathlib import Path
from typing import Any

from edgerl.util import files

BLUE, ORANGE, GREY, GREEN, PURPLE = "#2166ac", "#d6604d", "#777777", "#1b7837", "#762a83"


def axes(columns: int = 1, size: tuple[float, float] = (6, 4), rows: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure, and its axes one after another; drawn without a screen.

    Args:
      size: inches.
      options: of `matplotlib.pyplot.subplots`.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, made = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)
    for axis in made.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, made.reshape(-1)


def save_figure(figure: Any, path: Path, dpi: int = 150) -> Path:
    """Writes a matplotlib figure in the format of its file's name, closes it, and returns the path."""
    import matplotlib.pyplot as plt

    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi, format=path.suffix.removeprefix(".") or None)
    plt.close(figure)
    files.write_bytes(path, drawn.getvalue())
    return path
