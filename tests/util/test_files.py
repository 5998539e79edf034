import errno
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgerl import UserError
from edgerl.util.files import new_folder, read_json, read_npz, write_bytes, write_json, write_npz


def _contents(folder):
    return sorted(p.name for p in folder.iterdir())


def _write_folder(path):
    with new_folder(path) as folder:
        (folder / "a").write_text("1")


WRITERS = {
    "bytes": lambda path: write_bytes(path, b"1"),
    "json": lambda path: write_json(path, {}),
    "npz": lambda path: write_npz(path, {"a": np.ones(1)}),
    "folder": _write_folder,
}


def test_a_folder_appears_complete(tmp_path):
    path = tmp_path / "deep" / "run"
    with new_folder(path) as folder:
        (folder / "a").write_text("1")
        assert not path.exists()
        assert folder.parent == path.parent  # renamed within one file system
    assert _contents(path) == ["a"]
    assert _contents(path.parent) == ["run"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, UserError])
def test_a_folder_that_failed_leaves_nothing(tmp_path, error):
    def fail():
        with new_folder(tmp_path / "run") as folder:
            (folder / "a").write_text("1")
            raise error("why")

    with pytest.raises(error, match="why"):
        fail()
    assert _contents(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "folder", "empty folder"])
def test_a_folder_replaces_nothing(tmp_path, kind):
    path = tmp_path / "run"
    if kind == "file":
        path.write_text("mine")
    else:
        path.mkdir()
    if kind == "folder":
        (path / "mine").write_text("")
    with pytest.raises(UserError, match=r"run exists already: name a folder that does not, or remove it"):
        _write_folder(path)
    assert _contents(tmp_path) == ["run"]


def test_a_file_is_replaced_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("old")
    seen = []
    real = os.replace

    def replace(source, target):
        seen.append((Path(source).read_bytes(), Path(target).read_bytes()))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    write_bytes(path, b"new")
    assert seen == [(b"new", b"old")]
    assert path.read_bytes() == b"new"
    assert _contents(tmp_path) == ["a"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path, kind, monkeypatch):
    def replace(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(UserError, match=r"^cannot write .*a: No space left on device$"):
        WRITERS[kind](tmp_path / "a")
    assert _contents(tmp_path) == []


@pytest.mark.parametrize("kind", WRITERS)
def test_a_path_that_cannot_be_is_one_clear_line(tmp_path, kind):
    """Below a file no folder can be made, whoever asks."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"^cannot write .*file/a: (.*file is not a folder|Not a directory)$"):
        WRITERS[kind](tmp_path / "file" / "a")
    assert _contents(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("kind", WRITERS)
def test_a_folder_without_permission_is_one_clear_line(tmp_path, kind):
    """The kernel's own file system refuses even root."""
    if not Path("/proc/self").exists():
        pytest.skip("this system has no /proc")
    with pytest.raises(UserError, match=r"^cannot write /proc/self/a: "):
        WRITERS[kind](Path("/proc/self/a"))


def test_json_is_readable_and_complete(tmp_path):
    path = tmp_path / "new" / "a.json"
    write_json(path, {"b": [1, 2.5], "a": "é"})
    assert read_json(path) == {"b": [1, 2.5], "a": "é"}
    assert path.read_text().endswith("}\n")
    assert list(json.loads(path.read_text())) == ["b", "a"]


def test_json_that_cannot_be_read_is_one_clear_line(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(UserError, match=r"a\.json does not exist"):
        read_json(path)
    for data in (b"{", b"\xff"):
        path.write_bytes(data)
        with pytest.raises(UserError, match="is not readable JSON") as caught:
            read_json(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="is not readable JSON"):
        read_json(tmp_path)


plain = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int8, np.int32, np.uint8, np.bool_, np.float16]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@given(
    arrays=st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), plain, max_size=3),
    compress=st.booleans(),
)
def test_arrays_come_back_bit_for_bit(tmp_path_factory, arrays, compress):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    write_npz(path, arrays, compress)
    ours = read_npz(path)
    with np.load(path) as theirs:
        assert set(ours) == set(theirs.files) == set(arrays)
        for name, array in arrays.items():
            for read in (ours[name], theirs[name]):
                assert (read.dtype, read.shape, read.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_same_arrays_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_npz(tmp_path / name, {"x": np.arange(5), "y": np.ones((2, 3))}, compress=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([{"any": "object"}], dtype=object))
    with pytest.raises(UserError, match=r"not a readable \.npz archive of plain arrays"):
        read_npz(path)


def test_archives_that_cannot_be_read_are_one_clear_line(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(UserError, match=r"a\.npz does not exist"):
        read_npz(path)
    np.save(tmp_path / "single.npy", np.ones(3))
    with pytest.raises(UserError, match=r"a single array, not an \.npz archive"):
        read_npz(tmp_path / "single.npy")
    write_npz(path, {"a": np.arange(1000)})
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    for data in (b"", b"text", whole[: len(whole) // 2], bytes(damaged)):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"is not a readable \.npz archive") as caught:
            read_npz(path)
        assert "\n" not in str(caught.value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"not an array")
    with pytest.raises(UserError, match=r"is not a readable \.npz archive"):
        read_npz(path)
