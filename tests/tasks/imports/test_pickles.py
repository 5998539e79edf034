"""Pickles are read without unpickling: values come out as they went in, and nothing that they name is run."""

import collections
import os
import pickle
import random

import foreign
import numpy as np
import pytest

from edgerl.tasks.imports import pickles
from edgerl.tasks.imports.pickles import Call, Elsewhere, Name, PickleError

VALUES = {
    "text": "ä", "long": "x" * 300, "numbers": [0, 1, -1, 255, 2**16, -(2**31), 2**80, 1.5, float("inf")],
    "truth": (True, False, None), "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "inner": {"a": {}, "b": [[]], 3: {"c": (1, [2, {"d": "e"}])}},
}  # fmt: skip
SHARED = "shared"


def nothing(name):
    return False


def anything(name):
    return True


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_come_out_as_they_went_in(protocol):
    assert pickles.read(pickle.dumps(VALUES, protocol), nothing) == VALUES
    same = pickles.read(pickle.dumps([SHARED * 9, SHARED * 9, VALUES, VALUES], protocol), nothing)
    assert same[2] is same[3]


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bytes_come_out_as_they_went_in(protocol):
    values = [b"", b"abc", b"x" * 300]
    assert pickles.read(pickle.dumps(values, protocol), nothing) == values


def test_an_ordered_dictionary_is_a_dictionary():
    given = collections.OrderedDict(a=1, b=2)
    given.note = "an attribute"
    assert pickles.read(pickle.dumps(given, 2), {"collections.OrderedDict"}.__contains__) == {"a": 1, "b": 2}


def test_what_it_names_is_not_called():
    names = foreign.Names()
    one = names["mine.Thing"]()
    one.size = 3
    found = pickles.read(foreign.pickled([names["mine.Thing"], one], names), anything)
    assert found[0] == Name("mine.Thing")
    assert isinstance(found[1], Call)
    assert (found[1].name, found[1].arguments, found[1].state) == ("mine.Thing", (), {"size": 3})


def test_what_is_kept_elsewhere_is_not_looked_for():
    names = foreign.Names()
    assert names["torch.FloatStorage"]
    found = pickles.read(foreign.pickled(foreign.Storage(np.zeros(2, np.float32), "7"), names), anything)
    assert isinstance(found, Elsewhere)
    assert found.where[2:] == ("7", "cpu", 2)


class Shell:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_would_run_a_command_runs_nothing(protocol, tmp_path):
    data = pickle.dumps(Shell(f"touch {tmp_path / 'ran'}"), protocol)
    with pytest.raises(PickleError, match=r"it names (posix|os)\.system, which is not read"):
        pickles.read(data, nothing)
    assert isinstance(pickles.read(data, anything), Call)
    assert list(tmp_path.iterdir()) == []
    pickle.loads(data)  # it would have
    assert [path.name for path in tmp_path.iterdir()] == ["ran"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "truncated"),
        (b"\x80\x04", "truncated"),
        (b"no pickle", "damaged|not read"),
        (pickle.dumps([1, 2], 0), "a step that is not read, (MARK|LIST|INT|GET|PUT|APPEND)"),
        (b"\x80\x02U\x01a.", "a step that is not read, SHORT_BINSTRING"),
        (b"\x80\x020.", "a step that is not read, POP"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02(.", "damaged"),
        (b"\x80\x02R.", "damaged"),
        (b"\x80\x02K\x01K\x02R.", "damaged"),
        (b"\x80\x02K\x01K\x02b.", "damaged"),
        (b"\x80\x02}(K\x01u.", "damaged"),
        (b"\x80\x02K\x01(K\x01K\x02u.", "damaged"),
        (b"\x80\x02K\x01K\x02a.", "damaged"),
        (b"\x80\x04K\x01K\x02\x93.", "damaged"),
        (b"\x80\x02})K\x01s.", "a key of type tuple"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", "damaged|truncated"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.", "damaged"),
        (b"\x80\x02" + b"K\x01" * 200_001 + b".", "more than 200,000 steps"),
        (bytes(pickles.MOST_BYTES + 1), "at most 8,388,608 are read"),
    ],
)
def test_what_is_no_pickle_or_too_much_is_refused(data, said):
    with pytest.raises(PickleError, match=said):
        pickles.read(data, anything)


def test_a_name_with_a_backslash_is_no_warning():
    assert pickles.read(b"\x80\x02c\\R\nx\n.", anything) == Name("\\R.x")


def test_tuples_of_tuples_of_tuples_take_no_time():
    bomb = b"\x80\x02)" + b"q\x00h\x00\x86" * 5000 + b"."  # 2 to the 5000 empty tuples, if they were walked
    assert isinstance(pickles.read(bomb, nothing), tuple)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_truncated_pickle_is_refused(protocol):
    data = pickle.dumps(VALUES, protocol)
    for end in range(len(data)):
        with pytest.raises(PickleError):
            pickles.read(data[:end], nothing)


def test_damaged_pickles_are_read_or_refused():
    data = foreign.normaliser_file([0.0, 1.0], [1.0, 2.0])
    draw = random.Random(0)
    refused = 0
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(data))] = draw.randrange(256)
        try:
            pickles.read(bytes(damaged), anything)
        except PickleError:
            refused += 1
    assert refused > 100
