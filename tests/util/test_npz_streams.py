import tracemalloc

import numpy as np
import pytest

from edgerl import UserError
from edgerl.util.files import npz_reader, npz_writer, read_npz, write_npz


@pytest.mark.parametrize("compress", [False, True])
def test_chunks_in_and_out_equal_the_whole(tmp_path, compress):
    whole = np.arange(70, dtype=np.float32).reshape(10, 7)
    path = tmp_path / "a.npz"
    with npz_writer(path, compress) as writer:
        writer.write_rows("a", whole.shape, whole.dtype, (whole[i : i + 3] for i in range(0, 10, 3)))
        writer.write("text", "é")
    np.testing.assert_array_equal(read_npz(path)["a"], whole)
    assert read_npz(path)["text"] == "é"
    with npz_reader(path) as reader:
        assert reader.names == ("a", "text")
        assert reader.shape_and_dtype("a") == ((10, 7), np.dtype(np.float32))
        np.testing.assert_array_equal(np.concatenate(list(reader.rows("a", 4))), whole)
        np.testing.assert_array_equal(reader.read("a"), whole)
        np.testing.assert_array_equal(reader.mapped("a"), whole)
        assert isinstance(reader.mapped("a"), np.memmap) is not compress


def test_reads_what_numpy_writes(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.ones((5, 2), np.float16))
    with npz_reader(tmp_path / "a.npz") as reader:
        assert [len(rows) for rows in reader.rows("a", 2)] == [2, 2, 1]


def test_a_large_array_passes_through_little_memory(tmp_path):
    path = tmp_path / "a.npz"
    rows, width, count = 500_000, 16, 1000
    tracemalloc.start()
    with npz_writer(path) as writer:
        chunks = (np.full((count, width), i, np.float32) for i in range(rows // count))
        writer.write_rows("a", (rows, width), np.float32, chunks)
    with npz_reader(path) as reader:
        total = sum(float(chunk[:, 0].sum()) for chunk in reader.rows("a", count))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == count * sum(range(rows // count))
    assert peak < 4e6  # of an array of 32 MB


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def interrupted():
        with npz_writer(tmp_path / "a.npz") as writer:
            writer.write("a", np.ones(3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_used_are_one_clear_line(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(UserError, match="does not exist"), npz_reader(path):
        pass
    path.write_bytes(b"not a zip")
    with pytest.raises(UserError, match="not a readable"), npz_reader(path):
        pass
    np.savez(path, a=np.array([{}], dtype=object), f=np.asfortranarray(np.ones((3, 2))))
    with npz_reader(path) as reader:
        with pytest.raises(UserError, match="pickled"):
            reader.shape_and_dtype("a")
        with pytest.raises(UserError, match="stored by columns"):
            list(reader.rows("f", 2))
    write_npz(path, {"a": np.zeros(100_000)})
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="not a readable"), npz_reader(path):
        pass


def test_a_damaged_row_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    write_npz(path, {"a": np.zeros(100_000)})
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(bytes(data))
    with npz_reader(path) as reader, pytest.raises(UserError, match="not a readable"):
        list(reader.rows("a", 1000))
