"""The safetensors format: a header in JSON, and numbers."""

import json
import struct

import foreign
import numpy as np
import pytest

from edgerl import UserError
from edgerl.tasks.imports import safetensors

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array(1.5), "c": np.arange(4, dtype=np.float16)}


def test_tensors_come_out_as_they_went_in():
    data = foreign.safetensors_file(TENSORS, __metadata__={"format": "pt"})
    assert safetensors.is_safetensors(data)
    found = safetensors.read(data, "it")
    assert found.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_bfloat16_is_the_upper_half_of_float32():
    values = np.array([1.0, -2.5], np.float32)
    text = json.dumps({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    data = struct.pack("<Q", len(text)) + text + (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    np.testing.assert_array_equal(safetensors.read(data, "it")["a"], values)


def one(**changes):
    said = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}
    return json.dumps({"a": said})


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("{", "it: the header is not readable JSON"),
        ("[1]", "it: the header is no JSON object"),
        ('{"a": 1, "a": 2}', "a key is there twice"),
        ('{"a": 1}', "it: a holds None; expected one of"),
        (one(dtype="F8_E5M2"), "it: a holds F8_E5M2; expected one of F64, F32"),
        (one(dtype=["F32"]), "it: a holds"),
        (one(shape=[3]), r"it: a does not lie in the file with shape \[3\]"),
        (one(shape=[2**39, 2**39]), "it: a does not lie in the file"),
        (one(shape=[-2]), "it: a has no shape or place"),
        (one(shape=2), "it: a has no shape or place"),
        (one(shape=[2.0]), "it: a has no shape or place"),
        (one(shape=[True, True]), "it: a has no shape or place"),
        (one(data_offsets=[0]), "it: a has no shape or place"),
        (one(data_offsets=[8, 0]), "it: a does not lie in the file"),
        (one(data_offsets=[4, 12]), "it: a does not lie in the file"),
        ('{"a": %s, "b": %s}' % ((one()[6:-1],) * 2), "it: its tensors overlap"),
    ],
)
def test_a_damaged_header_is_refused(header, said):
    data = struct.pack("<Q", len(header)) + header.encode() + bytes(8)
    with pytest.raises(UserError, match=said):
        safetensors.read(data, "it")


def test_a_truncated_file_is_refused():
    data = foreign.safetensors_file(TENSORS)
    for end in range(9, len(data)):
        with pytest.raises(UserError):
            safetensors.read(data[:end], "it")
