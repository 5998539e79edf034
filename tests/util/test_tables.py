"""Tables on a terminal: columns aligned, one figure a cell, enough digits."""

import pytest

from edgerl.util.tables import aligned, cell, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "True"),
        (3, "3"),
        (1234567, "1,234,567"),
        (500.0, "500"),
        (-71.50213, "-71.502"),
        (0.000123456, "0.00012346"),
        (1234567.8, "1,234,568"),
        ("text", "text"),
        (float("nan"), "nan"),
    ],
)
def test_a_cell(value, text):
    assert cell(value) == text


def test_columns_are_aligned():
    assert aligned([["name", "mean"], ["a", 1.5], ["longer", -200]]) == "name    mean\na        1.5\nlonger  -200"
    assert aligned([["x", 1, 2], ["y"]]) == "x  1  2\ny"


def test_a_share():
    assert percent(0.99995, 2) == "100.00 %"
    assert percent(None) is None
