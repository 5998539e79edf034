import tracemalloc

import numpy as np
import pytest

from edgerl import UserError
from edgerl.tasks.early_exit.table.features import features
from edgerl.tasks.early_exit.table.import_logits import import_logits
from edgerl.tasks.early_exit.table.table import load_table
from edgerl.tasks.early_exit.trunk.data import POLICY, TEST
from edgerl.util.files import npz_writer

N, K, C = 200, 3, 4


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, C, N)
    logits = rng.normal(size=(N, K, C)) + np.arange(1, K + 1)[:, None] * (np.arange(C) == labels[:, None, None])
    return {"logits": logits, "labels": labels, "split": np.arange(N) % 3, "macs": np.array([10, 20, 30])}


def save(path, arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_logits_of_every_float_type(tmp_path, arrays, dtype):
    source = save(tmp_path / "mine.npz", arrays | {"logits": arrays["logits"].astype(dtype)})
    table = import_logits(source, tmp_path / "table.npz")
    logits = arrays["logits"].astype(dtype).astype(np.float32)
    step = np.abs(logits).max(-1, keepdims=True) / 127
    assert (np.abs(table.logits(np.arange(N)) - logits) <= 0.501 * step).all()
    np.testing.assert_array_equal(table.labels, arrays["labels"])
    np.testing.assert_array_equal(table.split, arrays["split"])
    np.testing.assert_array_equal(table.macs, [10.0, 20.0, 30.0])
    assert table.latency_ms is None
    assert table.provenance == {"source": "mine.npz", "split": "given"}


def test_what_was_imported_can_be_loaded_and_looked_at(tmp_path, arrays):
    import_logits(save(tmp_path / "mine.npz", arrays), tmp_path / "table.npz")
    table = load_table(tmp_path / "table.npz")
    assert isinstance(table.logits_q, np.memmap)
    accuracy = features(table, table.rows(TEST)).correct.mean(0)
    assert accuracy[-1] > accuracy[0]


def test_measured_latency_in_place_of_macs(tmp_path, arrays):
    costs = {"latency_ms": np.array([1.5, 2.5, 4.0])}
    source = save(tmp_path / "mine.npz", {k: v for k, v in arrays.items() if k != "macs"} | costs)
    table = import_logits(source, tmp_path / "table.npz")
    assert table.macs is None
    np.testing.assert_array_equal(table.latency_ms, [1.5, 2.5, 4.0])


def test_without_splits_half_is_for_the_policy(tmp_path, arrays):
    source = save(tmp_path / "mine.npz", {k: v for k, v in arrays.items() if k != "split"})
    table = import_logits(source, tmp_path / "table.npz")
    assert len(table.rows(POLICY)) == len(table.rows(TEST)) == N // 2
    assert table.provenance["split"] == "random halves"


def test_temperatures_are_fitted_on_the_policy_split_alone(tmp_path, arrays):
    first = import_logits(save(tmp_path / "a.npz", arrays), tmp_path / "ta.npz")
    logits = np.where((arrays["split"] == POLICY)[:, None, None], arrays["logits"], -arrays["logits"])
    second = import_logits(save(tmp_path / "b.npz", arrays | {"logits": logits}), tmp_path / "tb.npz")
    np.testing.assert_array_equal(first.temperatures, second.temperatures)


def test_chunks_do_not_change_the_table(tmp_path, arrays, monkeypatch):
    source = save(tmp_path / "mine.npz", arrays)
    whole = import_logits(source, tmp_path / "a.npz")
    monkeypatch.setattr("edgerl.tasks.early_exit.table.import_logits.CHUNK_VALUES", 7 * K * C)
    import_logits(source, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert whole.exits == K
    assert whole.classes == C


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"logits": changed(a["logits"], (150, 1, 2), np.nan)}, "logits\\[150\\] are not all finite"),
        (lambda a: {"logits": changed(a["logits"], (0, 0, 0), np.inf)}, "logits\\[0\\] are not all finite"),
        (lambda a: {"logits": changed(a["logits"], (7, 0, 0), 1e300)}, "logits\\[7\\] are not all finite"),
        (lambda a: {"logits": a["logits"][:, 0]}, "expected \\[images, exits, classes\\]"),
        (lambda a: {"logits": a["logits"][:, :1]}, "at least 2 exits"),
        (lambda a: {"logits": a["logits"][:, :, :1]}, "at least 2 classes"),
        (lambda a: {"logits": a["logits"][:0]}, "at least 2 images"),
        (lambda a: {"logits": a["logits"].astype(int)}, "logits are int64; expected float16"),
        (lambda a: {"logits": a["logits"].astype(object)}, "pickled"),
        (lambda a: {"logits": np.asfortranarray(a["logits"])}, "stored by columns"),
        (lambda a: {"labels": changed(a["labels"], 3, C)}, "labels\\[3\\] is 4; expected 0 to 3"),
        (lambda a: {"labels": changed(a["labels"], 3, -1)}, "labels\\[3\\] is -1"),
        (lambda a: {"labels": a["labels"][:-1]}, "labels have shape \\[199\\]; expected \\[200\\]"),
        (lambda a: {"labels": a["labels"] * 1.0}, "labels are float64; expected whole numbers"),
        (lambda a: {"split": a["split"] + 1}, "split\\[2\\] is 3"),
        (lambda a: {"split": np.full(N, POLICY)}, "split has no 2 \\(test\\)"),
        (lambda a: {"macs": np.array([10, 30, 20])}, "macs must rise"),
        (lambda a: {"macs": np.array([10.0, np.nan, 30])}, "macs must be finite"),
        (lambda a: {"macs": np.array([0, 20, 30])}, "above 0"),
        (lambda a: {"macs": np.array(["a", "b", "c"])}, "macs is <U1; expected numbers"),
        (lambda a: {"logit": a["logits"]}, "unknown array 'logit'"),
    ],
)
def test_wrong_files_are_one_clear_line_and_leave_nothing(tmp_path, arrays, change, message):
    source = save(tmp_path / "mine.npz", arrays | change(arrays))
    with pytest.raises(UserError, match=message) as error:
        import_logits(source, tmp_path / "table.npz")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


@pytest.mark.parametrize("name", ["logits", "labels", "macs"])
def test_a_missing_array_is_named(tmp_path, arrays, name):
    source = save(tmp_path / "mine.npz", {k: v for k, v in arrays.items() if k != name})
    with pytest.raises(UserError, match=f"'{name}'"):
        import_logits(source, tmp_path / "table.npz")


def test_files_that_are_no_archive(tmp_path, arrays):
    with pytest.raises(UserError, match="does not exist"):
        import_logits(tmp_path / "none.npz", tmp_path / "table.npz")
    np.save(tmp_path / "a.npy", arrays["logits"])
    with pytest.raises(UserError, match="not a readable"):
        import_logits(tmp_path / "a.npy", tmp_path / "table.npz")


def test_memory_stays_bounded(tmp_path):
    images, exits, classes = 400_000, 2, 20
    chunk = np.random.default_rng(0).normal(size=(10_000, exits, classes)).astype(np.float16)
    with npz_writer(tmp_path / "mine.npz") as writer:
        writer.write_rows("logits", (images, exits, classes), np.float16, (chunk for _ in range(images // len(chunk))))
        writer.write("labels", np.zeros(images, np.int32))
        writer.write("macs", np.array([1.0, 2.0]))
    tracemalloc.start()
    table = import_logits(tmp_path / "mine.npz", tmp_path / "table.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert table.logits_q.shape == (images, exits, classes)
    assert peak < 60e6  # of logits that take 64 MB in float32 alone, and 32 MB on disk
