import numpy as np

from edgerl.util.drawing import Picture, captioned

RED = [255, 0, 0]


def test_a_picture_is_a_plane_in_metres():
    picture = Picture(80, (-2.0, 0.0), (2.0, 1.0))
    picture.disc((1.0, 0.75), 0.2, "#ff0000")
    array = picture.array()
    assert (array.shape, array.dtype) == ((20, 80, 3), np.uint8)
    rows, columns = np.nonzero((array == RED).all(axis=-1))
    assert abs(rows.mean() - 4.5) < 1  # a quarter of the height from above
    assert abs(columns.mean() - 59.5) < 1
    assert 30 < len(rows) < 60  # of 50: the edges are mixed with white


def test_lines_and_polygons_lie_where_they_are_drawn():
    picture = Picture(40, (0.0, 0.0), (1.0, 1.0))
    picture.polygon([(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)], "#ff0000")
    picture.rod((0.1, 0.5), (0.4, 0.5), 0.1, "#0000ff")
    array = picture.array()
    assert (array[:, 21:] == RED).all()
    blue = (array == [0, 0, 255]).all(axis=-1)
    assert blue[20, 5:14].all()
    assert not blue[:15].any()
    assert not blue[25:].any()


def test_a_caption_stands_above_a_picture():
    picture = np.full((30, 100, 3), 7, np.uint8)
    whole = captioned(picture, ["step 1", "a text that is far too long for a picture of a hundred pixels"])
    assert whole.shape == (30 + 6 + 2 * 12, 100, 3)
    np.testing.assert_array_equal(whole[-30:], picture)
    assert (whole[:18] < 128).any()
    assert (whole[18:30] < 128).any()
