"""State dictionaries of PyTorch without PyTorch."""

import os
import pickle
import zipfile

import foreign
import numpy as np
import pytest
from foreign import Storage, Tensor

from edgerl import UserError
from edgerl.tasks.imports import torch_zip

DRAW = np.random.default_rng(0)
TENSORS = {
    "net.0.weight": DRAW.normal(size=(4, 3)).astype(np.float32),
    "net.0.bias": DRAW.normal(size=4),
    "half": DRAW.normal(size=(2, 2, 2)).astype(np.float16),
    "count": np.array(7),
    "none": np.zeros((0, 3), np.float32),
    "mask": np.array([True, False]),
}


def read(tensors, **options):
    return torch_zip.read(foreign.torch_file(tensors, **options), "mine.pth")


@pytest.mark.parametrize("options", [{}, {"order": "big"}, {"protocol": 4}, {"folder": "policy"}], ids=str)
def test_tensors_come_out_as_they_went_in(options):
    found = read(TENSORS, **options)
    assert list(found) == list(TENSORS)
    for name, value in TENSORS.items():
        assert (found[name].dtype.newbyteorder("="), found[name].shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(found[name], value)


def test_tensors_that_share_a_storage():
    values = np.arange(12, dtype=np.float32)
    storage = Storage(values, "0")
    views = {"whole": ((3, 4), (4, 1), 0), "turned": ((4, 3), (1, 4), 0), "row": ((4,), (1,), 8), "one": ((), (), 5)}
    found = read({name: Tensor(storage, *view) for name, view in views.items()})
    whole = values.reshape(3, 4)
    wanted = {"whole": whole, "turned": whole.T, "row": whole[2], "one": np.float32(5)}
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, strict=True)


def test_bfloat16_is_the_upper_half_of_float32():
    values = np.array([1.0, -2.5, 3e38, 0.0], np.float32)
    storage = Storage((values.view(np.uint32) >> 16).astype(np.uint16), "0", "torch.BFloat16Storage")
    found = read({"a": Tensor(storage, (2, 2), (2, 1))})["a"]
    np.testing.assert_allclose(found, values.reshape(2, 2), rtol=2**-8)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (lambda storage: Tensor(storage, (1000, 1000), (0, 0)), "a is larger than what is stored of it"),
        (lambda storage: Tensor(storage, (4, 4), (4, 1)), "a is larger than what is stored of it"),
        (lambda storage: Tensor(storage, (2, 2), (2, 1), 9), "a is larger than what is stored of it"),
        (lambda storage: Tensor(storage, (2,), (-1,), 5), "a has no shape"),
        (lambda storage: Tensor(storage, (2,), (1, 1)), "a has no shape"),
        (lambda storage: Tensor(storage, (1,) * 9, (1,) * 9), "a has no shape"),
        (lambda storage: Tensor(storage, (2.0,), (1,)), "a has no shape"),
        (lambda storage: Tensor(Storage(storage.values, "0", count=99), (2,), (1,)), "a has 12 numbers stored"),
        (lambda storage: Tensor(Storage(storage.values, "0", "torch.Odd"), (2,), (1,)), "it names torch.Odd"),
    ],
)
def test_a_tensor_that_does_not_fit_what_is_stored_is_refused(tensor, said):
    with pytest.raises(UserError, match=rf"mine\.pth is no state dictionary: {said}"):
        read({"a": tensor(Storage(np.arange(12, dtype=np.float32), "0"))})


def test_many_views_of_a_large_storage_are_refused():
    storage = Storage(np.zeros(2**22, np.float32), "0")
    with pytest.raises(UserError, match="its tensors are larger than a policy's"):
        read({f"t{i}": Tensor(storage, (2**11, 2**11), (1, 2**11)) for i in range(5)})


class Shell:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a/data.pkl": pickle.dumps({"a": Shell()}, 2)}, r"it names (posix|os)\.system, which is not read; save one"),
        ({"a/data.pkl": pickle.dumps({"a": 1}, 2)}, "a is no tensor"),
        ({"a/data.pkl": pickle.dumps([1], 2)}, "it holds something else than tensors by their names"),
        ({"a/data.pkl": pickle.dumps({1: 2}, 2)}, "it holds something else than tensors by their names"),
        ({"a/data.pkl": b"\x80\x02"}, "it is damaged or truncated"),
        ({"a/data.pkl": pickle.dumps({}, 2), "a/byteorder": b"middle"}, "its byte order is neither little nor big"),
        ({"a/data.pkl": b"", "b/data.pkl": b""}, "expected one member NAME/data.pkl, found 2"),
        ({"data.pkl": b""}, "expected one member NAME/data.pkl, found 0"),
    ],
)
def test_another_archive_is_refused(members, said):
    with pytest.raises(UserError, match=said):
        torch_zip.read(foreign.zipped(members), "mine.pth")


def test_a_storage_that_is_not_there_is_refused():
    data = foreign.torch_file({"a": np.zeros(3, np.float32)}).replace(b"data/0", b"data/1")
    with pytest.raises(UserError, match="has no member archive/data/0"):
        torch_zip.read(data, "mine.pth")


def test_the_format_before_zip_archives_is_refused():
    with pytest.raises(UserError, match=r"mine\.pth is not of PyTorch 1\.6 or later"):
        torch_zip.read(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "mine.pth")


def test_a_small_archive_that_unpacks_to_much_is_refused():
    members = {"a/data.pkl": pickle.dumps({}, 2), "a/byteorder": bytes(2**27)}
    data = foreign.zipped(members, zipfile.ZIP_DEFLATED)
    assert len(data) < 2**18
    with pytest.raises(UserError, match=r"a/byteorder is 134,217,728 bytes when unpacked, too many for a policy"):
        torch_zip.read(data, "mine.pth")


def test_a_truncated_file_is_refused():
    data = foreign.torch_file(TENSORS)
    for end in range(2, len(data), 97):
        with pytest.raises(UserError):
            torch_zip.read(data[:end], "mine.pth")
