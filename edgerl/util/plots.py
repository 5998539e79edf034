"""Pictures: one look for all of them, and on disk whole or not at all, however full the disk is."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.util import files

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), which most people with a colour vision deficiency can
# tell apart. A line that is not alone has a label, too.
BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
BLACK, GREY = "#222222", "#777777"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK, GREY)

_SMALL = 8.5  # points, of legends


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
        axis.grid(alpha=0.25)
        axis.set_axisbelow(True)
    return figure, made.reshape(-1)


def save_figure(figure: Any, path: Path, dpi: int = 150) -> Path:
    """Writes a matplotlib figure in the format of its file's name, closes it, and returns the path."""
    import matplotlib.pyplot as plt

    for axis in figure.axes:
        axis.title.set_fontsize(min(10, axis.title.get_fontsize()))
    for legend in [*figure.legends, *(axis.get_legend() for axis in figure.axes)]:
        if legend is not None:
            legend.get_frame().set(linewidth=0, alpha=0.8)
            for text in legend.get_texts():
                text.set_fontsize(_SMALL)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dpi, format=path.suffix.removeprefix(".") or None)
    plt.close(figure)
    files.write_bytes(path, drawn.getvalue())
    return path


def save_animation(pictures: list[Any], path: Path, milliseconds: int = 40, colours: int = 64) -> Path:
    """Writes pictures of one size, uint8 [height, width, 3], as a GIF that plays for ever, and returns the path.

    Args:
      milliseconds: that each is shown.
      colours: of each picture, at most 256.
    """
    from PIL import Image

    made = [Image.fromarray(picture).quantize(colours, Image.Quantize.FASTOCTREE) for picture in pictures]
    drawn = io.BytesIO()
    made[0].save(drawn, "GIF", save_all=True, append_images=made[1:], duration=milliseconds, loop=0, optimize=True)
    files.write_bytes(path, drawn.getvalue())
    return path


def smoothed(values: np.ndarray, parts: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Running means of values that scatter: over a window of a `parts`-th of them.

    Returns:
      places: of each window's last value. means: as many.
    """
    window = max(1, len(values) // parts)
    means = np.convolve(values, np.ones(window) / window, "valid")
    return np.arange(window - 1, len(values)), means
