"""Logits as people really save them: each gives the right table or one line that says what to save."""

import pickle
import re
import zipfile

import numpy as np
import pytest

from edgerl import UserError
from edgerl.tasks.early_exit.table import logits as logit_commands
from edgerl.tasks.early_exit.table.import_logits import import_logits
from edgerl.tasks.early_exit.table.table import load_table
from edgerl.util.files import npz_writer

N, K, C = 600, 3, 4


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def network(exits=K, classes=C, images=N, seed=0):
    """Logits that are right more often from exit to exit, with their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    signal = np.arange(2, exits + 2)[:, None] * (np.arange(classes) == labels[:, None, None])
    return {
        "logits": (rng.normal(size=(images, exits, classes)) + signal).astype(np.float32),
        "labels": labels,
        "split": 1 + np.arange(images) % 2,
        "macs": np.arange(1.0, exits + 1) * 1e6,
    }


@pytest.fixture(scope="module")
def arrays():
    return network()


def refused(tmp_path, arrays):
    """The one line that a file gets. Nothing is left of the table."""
    np.savez(tmp_path / "mine.npz", **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(UserError) as error:
        import_logits(tmp_path / "mine.npz", tmp_path / "table.npz")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]
    return str(error.value)


def percent(logits):
    return (100 * softmax(logits)).astype(np.float32)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (softmax, "are probabilities at every exit .* save np.log"),
        (lambda x: softmax(x).astype(np.float16), "are probabilities at every exit"),
        (lambda x: softmax(x).round(2), "are probabilities at every exit"),
        (lambda x: (np.arange(C) == x.argmax(-1)[..., None]).astype(np.float32), "are probabilities at every exit"),
        (lambda x: np.concatenate([x[:, :-1], softmax(x[:, -1:])], 1), "are probabilities at exit 3 "),
        (lambda x: np.concatenate([softmax(x[:, :-1]), x[:, -1:]], 1), "are probabilities at exits 1, 2 "),
        (percent, r"are percentages at every exit .* save np.log\(np.maximum\(logits / 100"),
        (lambda x: -np.log(softmax(x)), "are negative logarithms of probabilities .* save -logits"),
        (lambda x: -x, "the smallest number is the answer: .* save -logits"),
        (lambda x: np.where(np.arange(C) == 0, -1e9, x), "8 bits do not keep the predictions .* masked classes"),
        (lambda x: np.where(np.arange(C) == 3, -np.inf, x), r"logits\[0, 0, 3\] is -inf; leave out masked classes"),
        (lambda x: x.astype(np.int8), "logits are int8; expected .* dequantise"),
        (lambda x: x > 0, "logits are bool"),
        (lambda x: x.astype(complex), "logits are complex128; .* real"),
        (lambda x: x.astype(str), "logits are <U"),
        (lambda x: x.astype(object), "logits holds pickled objects"),
        (lambda x: x.view("V4"), r"logits are \|V4; .* bfloat16"),
    ],
)
def test_numbers_that_are_no_logits(tmp_path, arrays, made, said):
    assert re.search(said, refused(tmp_path, arrays | {"logits": made(arrays["logits"])}))


@pytest.mark.parametrize(
    "made",
    [
        lambda x: np.log(softmax(x)),
        lambda x: x.astype(">f4"),
        lambda x: x.astype(np.longdouble),
        lambda x: np.maximum(x, 0),  # after a ReLU
        lambda x: x + 7,
    ],
)
def test_other_logits_are_as_good(tmp_path, arrays, made):
    np.savez(tmp_path / "mine.npz", **arrays | {"logits": made(arrays["logits"])})
    table = import_logits(tmp_path / "mine.npz", tmp_path / "table.npz")
    assert "notes" not in table.provenance
    predicted = table.logits(np.arange(N)).argmax(-1)
    assert (predicted == arrays["logits"].argmax(-1)).mean() > 0.95


ORDERS = {
    (1, 0, 2): "[exits, images, classes]: save logits.transpose(1, 0, 2)",
    (0, 2, 1): "[images, classes, exits]: save logits.transpose(0, 2, 1)",
    (2, 0, 1): "[classes, images, exits]: save logits.transpose(1, 2, 0)",
    (1, 2, 0): "[exits, classes, images]: save logits.transpose(2, 0, 1)",
    (2, 1, 0): "[classes, exits, images]: save logits.transpose(2, 1, 0)",
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("labels", [lambda x: x, lambda x: x[:, None], lambda x: np.eye(C)[x], lambda x: x + 1])
def test_swapped_axes_are_named_whatever_the_labels(tmp_path, arrays, order, labels):
    turned = np.ascontiguousarray(arrays["logits"].transpose(order))
    said = refused(tmp_path, arrays | {"logits": turned, "labels": labels(arrays["labels"])})
    assert ORDERS[order] in said
    advised = tuple(map(int, ORDERS[order].split("(")[1].rstrip(")").split(",")))
    np.testing.assert_array_equal(turned.transpose(advised), arrays["logits"])


def test_axes_of_the_same_size_are_told_apart_by_the_answers(tmp_path):
    square = network(exits=5, classes=5)
    np.savez(tmp_path / "right.npz", **square)
    assert "notes" not in import_logits(tmp_path / "right.npz", tmp_path / "table.npz").provenance
    (tmp_path / "right.npz").unlink()
    (tmp_path / "table.npz").unlink()
    said = refused(tmp_path, square | {"logits": square["logits"].transpose(0, 2, 1).copy()})
    assert "they are [images, classes, exits]: save logits.transpose(0, 2, 1)" in said


def test_axes_of_the_same_size_that_nothing_tells_apart_are_told(tmp_path, capsys):
    few = network(exits=12, classes=4, images=12)
    np.savez(tmp_path / "few.npz", **few)
    result = logit_commands.import_logits(str(tmp_path / "few.npz"), str(tmp_path / "table.npz"))
    assert "axes of the same size" in result["notes"][0]
    assert "transpose(1, 0, 2)" in result["notes"][0]
    assert result["notes"][0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"logits": lambda a: a["logits"][:, -1]}, "one exit alone leaves nothing to decide"),
        ({"logits": lambda a: a["logits"].reshape(N, -1)}, f"save logits.reshape({N}, {K}, -1)"),
        ({"logits": lambda a: a["logits"].reshape(N * K, C)}, f"save logits.reshape({N}, {K}, -1)"),
        ({"logits": lambda a: a["logits"][..., None]}, "save logits.squeeze()"),
        ({"logits": lambda a: a["logits"][:, :, :1], "labels": lambda a: a["labels"] > 1}, "for one logit a yes"),
        ({"labels": lambda a: np.eye(C)[a["labels"]]}, "one-hot, save labels.argmax(1)"),
        ({"labels": lambda a: np.eye(C, dtype=bool)[a["labels"]]}, "one-hot, save labels.argmax(1)"),
        ({"labels": lambda a: np.eye(C)[a["labels"]] * 0.9 + 0.025}, "shares of classes"),
        ({"labels": lambda a: a["labels"] + 1}, "labels go from 1 to 4: save labels - 1"),
        ({"labels": lambda a: a["labels"][:, None]}, "save labels.ravel()"),
        ({"labels": lambda a: a["labels"].astype(np.float32)}, "save labels.astype(int)"),
        ({"labels": lambda a: a["labels"] + 0.5}, "labels are float64; expected whole numbers"),
        ({"labels": lambda a: np.array(["cat", "dog", "bee", "ant"])[a["labels"]]}, "text; save each class's number"),
        ({"labels": lambda a: np.where(np.arange(N) == 5, -100, a["labels"])}, "labels[5] is -100"),
        ({"labels": lambda a: np.maximum(a["labels"] - 1, 0)}, "right on"),
        ({"split": lambda a: np.array(["val", "test"])[a["split"] - 1]}, "0 is fit, 1 policy, 2 test"),
        ({"split": lambda a: a["split"] == 2}, "split are bool; expected whole numbers: 0 is fit"),
        ({"split": lambda a: a["split"] - 1}, "save split + 1"),
        ({"split": lambda a: a["split"] * 1.0}, "save split.astype(int)"),
        ({"split": lambda a: np.array([N // 2, N // 2])}, f"split have shape [2]; expected [{N}]"),
        ({"macs": lambda a: a["macs"][::-1]}, "if these are the stages' own, save np.cumsum(macs)"),
        ({"macs": lambda a: np.full(K, 1e6)}, "save np.cumsum(macs)"),
        ({"macs": lambda a: np.float64(3e6)}, "macs has shape []; expected [3], one an exit"),
        ({"macs": lambda a: a["macs"][:, None]}, "save macs.ravel()"),
        ({"macs": lambda a: -a["macs"]}, "above 0"),
        ({"macs": lambda a: None, "flops": lambda a: a["macs"]}, "save macs=flops / 2, or macs=flops"),
        ({"macs": lambda a: None, "latency": lambda a: a["macs"]}, "save them as latency_ms"),
        ({"labels": lambda a: None, "targets": lambda a: a["labels"]}, "save them as labels"),
        ({"logits": lambda a: None, "probs": lambda a: a["logits"]}, "save logits=np.log"),
        (
            {"logits": lambda a: None, "exit_0": lambda a: a["logits"][:, 0], "exit_1": lambda a: a["labels"]},
            "np.stack",
        ),
        ({"logits": lambda a: None, "arr_0": lambda a: a["logits"]}, "arrays without names"),
        ({"logits": lambda a: None, "Logits": lambda a: a["logits"]}, "did you mean 'logits' by 'Logits'"),
    ],
)
def test_other_arrays_are_named(tmp_path, arrays, change, said):
    changed = {name: make(arrays) for name, make in change.items()}
    assert said in refused(tmp_path, {**arrays, **changed})


def test_labels_without_the_last_class_are_found_by_the_answers(tmp_path, arrays):
    """Counted from 1, but of class 4 there is no image: no number is out of range."""
    kept = {name: value if name == "macs" else value[arrays["labels"] < C - 1] for name, value in arrays.items()}
    said = refused(tmp_path, kept | {"labels": kept["labels"] + 1})
    assert "classes are counted from 1: save labels - 1" in said


NOTES = [
    (lambda a: {"labels": np.random.default_rng(1).permutation(a["labels"])}, "in the same order?"),
    (lambda a: {"logits": 1 / (1 + np.exp(-a["logits"]))}, "if they are sigmoids"),
    (lambda a: {"macs": np.array([1.5, 2.5, 3.5])}, "are these millions?"),
    (
        lambda a: (
            {name: np.concatenate([a[name]] * 2) for name in ("logits", "labels")} | {"split": np.repeat([1, 2], N)}
        ),
        f"{N} test images have the very logits of a policy image",
    ),
]


@pytest.mark.parametrize(("change", "said"), NOTES)
def test_what_may_be_wrong_is_told_beside_the_table(tmp_path, arrays, change, said, capsys):
    np.savez(tmp_path / "mine.npz", **arrays | change(arrays))
    result = logit_commands.import_logits(str(tmp_path / "mine.npz"), str(tmp_path / "table.npz"))
    assert [said in note for note in result["notes"]] == [True]
    assert said in capsys.readouterr().err
    assert load_table(tmp_path / "table.npz").provenance["notes"] == result["notes"]


def test_what_the_costs_were_taken_for_is_told(tmp_path, arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    result = logit_commands.import_logits(str(tmp_path / "mine.npz"), str(tmp_path / "table.npz"))
    assert result["macs"] == [1e6, 2e6, 3e6]
    assert result["cost_until_exit_over_last"] == pytest.approx([1 / 3, 2 / 3, 1])
    assert "notes" not in result


def other_files(arrays):
    """Name to (bytes, what is said)."""
    return {
        "a.npy": (b"\x93NUMPY\x01\x00", "a single array (.npy)"),
        "a.p": (pickle.dumps((arrays["logits"][:2], arrays["labels"][:2])), "a pickle"),
        "a.pth": (pickle.dumps([1], protocol=2), "a pickle"),
        "a.csv": (b"1.0,2.0\n3.0,4.0\n", "a text file"),
        "a.json": (b'{"logits": [[1, 2]]}', "a text file"),
        "a.h5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        "a.mat": (b"MATLAB 5.0 MAT-file", "a MATLAB file"),
        "a.parquet": (b"PAR1\x15\x04", "a Parquet file"),
        "a.npz.gz": (b"\x1f\x8b\x08\x00", "a gzip file"),
        "a.safetensors": (b'\x40\x00\x00\x00\x00\x00\x00\x00{"logits":', "a safetensors file"),
        "empty.npz": (b"", "an empty file"),
        "noise.npz": (bytes(range(256)), "not a readable .npz"),
        "cut.npz": (b"PK\x03\x04\x14\x00", "not a readable .npz"),
    }


def test_files_of_another_kind_are_named(tmp_path, arrays):
    with zipfile.ZipFile(tmp_path / "torch.pth", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02.")
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        archive.writestr("logits.csv", "1,2")
    kinds = {"torch.pth": "a PyTorch file", "texts.zip": "a zip archive without arrays"}
    for name, (data, kind) in other_files(arrays).items():
        (tmp_path / name).write_bytes(data)
        kinds[name] = kind
    (tmp_path / "folder").mkdir()
    kinds["folder"] = "not a readable .npz"
    for name, kind in kinds.items():
        with pytest.raises(UserError) as error:
            import_logits(tmp_path / name, tmp_path / "table.npz")
        assert kind in str(error.value), name
        assert "\n" not in str(error.value)
    assert not (tmp_path / "table.npz").exists()


def test_tables_and_logits_are_told_apart(tmp_path, arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    import_logits(tmp_path / "mine.npz", tmp_path / "table.npz")
    with pytest.raises(UserError, match="edgerl logits import FILE --out TABLE makes a table"):
        load_table(tmp_path / "mine.npz")
    with pytest.raises(UserError, match="this is a table already"):
        import_logits(tmp_path / "table.npz", tmp_path / "other.npz")


def test_damaged_headers_are_one_line(tmp_path, arrays):
    """A shape that no machine holds, a negative one, and one that is no shape."""
    for shape in ((10**9, 10**6, 10), (-5, 3, 4), (N, K, C)):
        with npz_writer(tmp_path / "mine.npz") as writer:
            writer.write_rows("logits", shape, np.float32, [arrays["logits"][:10]])
            for name in ("labels", "macs"):
                writer.write(name, arrays[name])
        with pytest.raises(UserError) as error:
            import_logits(tmp_path / "mine.npz", tmp_path / "table.npz")
        assert "\n" not in str(error.value)
    with npz_writer(tmp_path / "mine.npz") as writer:
        writer.write_rows("labels", (10**15,), np.int64, [])
        for name in ("logits", "macs"):
            writer.write(name, arrays[name])
    with pytest.raises(UserError, match="not a readable"):
        import_logits(tmp_path / "mine.npz", tmp_path / "table.npz")


def test_names_are_quoted_on_one_line(tmp_path, arrays):
    said = refused(tmp_path, {**arrays, "a\r\n\x1b[2Jb": np.zeros(2)})
    assert said.isprintable()
    assert r"unknown array 'a\r\n\x1b[2Jb'" in said


def test_a_damaged_provenance_is_one_line(tmp_path, arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    import_logits(tmp_path / "mine.npz", tmp_path / "table.npz")
    with np.load(tmp_path / "table.npz") as table:
        np.savez(tmp_path / "bad.npz", **{**table, "provenance": np.array("{")})
    with pytest.raises(UserError, match="provenance is no JSON object"):
        load_table(tmp_path / "bad.npz")
