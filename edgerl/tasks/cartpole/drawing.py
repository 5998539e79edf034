"""A cart and its pole as a picture."""

import math

import numpy as np

from edgerl.util.drawing import Picture
from edgerl.util.plots import BLUE, GREY, ORANGE

WIDTH, HEIGHT = 420, 150  # pixels
_PIXEL = 5.2 / WIDTH  # metres; a little more than the track is shown, which ends at 2.4 m on either side
_POLE = 80 * _PIXEL  # drawn half as long as the track would have it


def cart(x: float, angle: float, label: str = "") -> np.ndarray:
    """uint8 [150, 420, 3].

    Args:
      x: of the cart, metres from the middle.
      angle: of the pole from upright, radians, clockwise.
      label: below the track.
    """
    floor = 30 * _PIXEL
    picture = Picture(WIDTH, (-2.6, 0.0), (2.6, HEIGHT * _PIXEL))
    picture.line([(-2.6, floor), (2.6, floor)], _PIXEL, GREY)
    for limit in (-2.4, 2.4):
        picture.line([(limit, floor - 10 * _PIXEL), (limit, floor + 10 * _PIXEL)], _PIXEL, GREY)
    left, right, low, high = x - 22 * _PIXEL, x + 22 * _PIXEL, floor + 4 * _PIXEL, floor + 24 * _PIXEL
    picture.polygon([(left, low), (right, low), (right, high), (left, high)], BLUE)
    axle = floor + 20 * _PIXEL
    picture.rod((x, axle), (x + _POLE * math.sin(angle), axle + _POLE * math.cos(angle)), 7 * _PIXEL, ORANGE)
    if label:
        picture.text((-2.6 + 6 * _PIXEL, floor - 8 * _PIXEL), label, GREY)
    return picture.array()
