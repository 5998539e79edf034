"""JSON that every reader takes."""

import json

import numpy as np

from edgerl.util import files
from edgerl.util.json_text import to_json

ODD = {
    "mean": float("nan"),
    "low": -np.inf,
    "list": [1, np.float64("nan"), (float("inf"), 2.5)],
    "text": "NaN",
    "n": None,
}
PLAIN = {"mean": None, "low": None, "list": [1, None, [None, 2.5]], "text": "NaN", "n": None}


def strict(text):
    """Parses as a reader does that knows JSON and nothing else."""
    return json.loads(text, parse_constant=refuse)


def refuse(word):
    raise AssertionError(f"{word} is not JSON")


def test_numbers_that_are_not_finite_are_null():
    assert strict(to_json(ODD)) == PLAIN


def test_files_too(tmp_path):
    files.write_json(tmp_path / "odd.json", ODD)
    assert strict((tmp_path / "odd.json").read_text()) == PLAIN
