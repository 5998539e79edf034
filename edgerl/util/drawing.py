"""Small pictures of mechanisms: lines and discs in a plane measured in metres, for an environment's `render`; and the
lines of text above them in an animation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

_INK = "#222222"
SMOOTH = 2  # pictures are drawn so many times larger and shrunk, which smooths their edges

Point = tuple[float, float]  # metres, the second one upwards


class Picture:
    """A white picture that is drawn upon.

    Args:
      width: pixels.
      low, high: the corners of the plane that is shown, in metres; the height in pixels follows from them.

    Example:
      >>> picture = Picture(100, (-1.0, -1.0), (1.0, 1.0))
      >>> picture.disc((0.0, 0.0), 0.5, "#0072b2")
      >>> picture.array().shape
      (100, 100, 3)
    """

    def __init__(self, width: int, low: Point, high: Point) -> None:
        from PIL import Image, ImageDraw

        self._low, self._high = low, high
        self._scale = SMOOTH * width / (high[0] - low[0])  # pixels drawn per metre
        height = round(width * (high[1] - low[1]) / (high[0] - low[0]))
        self._image: Any = Image.new("RGB", (SMOOTH * width, SMOOTH * height), "white")
        self._draw = ImageDraw.Draw(self._image)

    def line(self, points: Sequence[Point], width: float, colour: str) -> None:
        """A line through two or more points.

        Args:
          width: metres; at least a pixel is drawn.
          colour: as PIL takes it, for example "#0072b2".
        """
        pixels = max(SMOOTH, round(width * self._scale))
        self._draw.line([self._pixel(point) for point in points], fill=colour, width=pixels, joint="curve")

    def rod(self, start: Point, end: Point, width: float, colour: str) -> None:
        """A line with round ends; `width` in metres."""
        self.line((start, end), width, colour)
        for point in (start, end):
            self.disc(point, width / 2, colour)

    def disc(self, centre: Point, radius: float, colour: str) -> None:
        """A filled circle; `radius` in metres."""
        (x, y), r = self._pixel(centre), radius * self._scale
        self._draw.ellipse([x - r, y - r, x + r, y + r], fill=colour)

    def polygon(self, corners: Sequence[Point], colour: str) -> None:
        """A filled polygon of three or more corners."""
        self._draw.polygon([self._pixel(corner) for corner in corners], fill=colour)

    def text(self, at: Point, words: str, colour: str) -> None:
        """A line of ten pixels' height whose upper left corner is at a point."""
        self._draw.text(self._pixel(at), words, fill=colour, font_size=10 * SMOOTH)

    def array(self) -> np.ndarray:
        """uint8 [height, width, 3]."""
        return np.asarray(self._image.reduce(SMOOTH))

    def _pixel(self, point: Point) -> Point:
        return (point[0] - self._low[0]) * self._scale, (self._high[1] - point[1]) * self._scale


def captioned(picture: np.ndarray, rows: Sequence[str]) -> np.ndarray:
    """A picture with rows of text above it, ten pixels high; what is wider than the picture is cut off.

    Args:
      picture: uint8 [height, width, 3].
    Returns:
      uint8 [height + 6 + 12 * rows, width, 3].

    Example:
      >>> captioned(np.zeros((50, 200, 3), np.uint8), ["step 7", "push left"]).shape
      (80, 200, 3)
    """
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (SMOOTH * picture.shape[1], SMOOTH * (6 + 12 * len(rows))), "white")
    draw = ImageDraw.Draw(strip)
    for number, row in enumerate(rows):
        draw.text((SMOOTH * 4, SMOOTH * (3 + 12 * number)), row, fill=_INK, font_size=10 * SMOOTH)
    return np.concatenate([np.asarray(strip.reduce(SMOOTH)), picture])
