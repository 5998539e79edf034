import itertools

import numpy as np
import pytest
from PIL import Image

from edgerl.util import plots

# Severe deuteranopia and protanopia in linear RGB, from Machado, Oliveira and Fernandes (2009).
DEFICIENCIES = {
    "none": np.eye(3),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
}


def lightness_and_hue(colour, seen):
    """CIE Lab of a colour as somebody sees it."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(seen @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("name", DEFICIENCIES)
def test_colours_can_be_told_apart(name):
    seen = [lightness_and_hue(colour, DEFICIENCIES[name]) for colour in plots.COLOURS]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 10


def test_running_means_belong_to_the_last_value_of_their_window():
    places, means = plots.smoothed(np.arange(8.0), parts=2)
    np.testing.assert_array_equal(places, [3, 4, 5, 6, 7])
    np.testing.assert_allclose(means, [1.5, 2.5, 3.5, 4.5, 5.5])
    places, means = plots.smoothed(np.array([4.0, 2.0]))
    np.testing.assert_array_equal((places, means), ([0, 1], [4, 2]))


def test_a_figure_is_dressed_and_written(tmp_path):
    figure, (axis,) = plots.axes()
    axis.plot([0, 1], [0, 1], label="a line")
    axis.set_title("A title")
    axis.legend()
    assert plots.save_figure(figure, tmp_path / "a.png") == tmp_path / "a.png"
    assert axis.get_legend().get_frame().get_linewidth() == 0
    assert not axis.spines["top"].get_visible()
    with Image.open(tmp_path / "a.png") as written:
        assert written.width > 500


def test_an_animation_has_its_pictures(tmp_path):
    pictures = [np.full((10, 20, 3), shade, np.uint8) for shade in (0, 120, 240)]
    path = plots.save_animation(pictures, tmp_path / "a.gif", milliseconds=50)
    with Image.open(path) as made:
        assert (made.n_frames, made.size, made.info["duration"]) == (3, (20, 10), 50)
