"""The CSV format: what is read, and one clear line for each kind of wrong table."""

import numpy as np
import pytest
from tables import lines, table, write

import edgerl
from edgerl.tasks.latent_nas.table import data


@pytest.fixture(scope="module")
def rows():
    return lines(table(40))


def refused(tmp_path, rows):
    with pytest.raises(edgerl.UserError) as error:
        data.read_csv(write(tmp_path / "table.csv", rows))
    text = str(error.value)
    assert "\n" not in text
    assert "table.csv" in text
    return text


def changed(rows, line, column, value):
    rows = [list(row) for row in rows]
    rows[line - 1][rows[0].index(column)] = value
    return rows


def test_what_was_written_is_read(tmp_path, rows):
    made = table(40)
    read = data.read_csv(write(tmp_path / "table.csv", rows))
    np.testing.assert_array_equal(read.genes, made.genes)
    np.testing.assert_array_equal(read.targets, made.targets)


def test_columns_in_any_order_and_more_of_them(tmp_path, rows):
    turned = [[*reversed(row), "note"] for row in rows]
    read = data.read_csv(write(tmp_path / "table.csv", turned))
    np.testing.assert_array_equal(read.genes, table(40).genes)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("out_channel0", "7", "out_channel0 is 7; expected 8 to 128"),
        ("out_channel0", "129", "out_channel0 is 129; expected 8 to 128"),
        ("M", "6", "M is 6; expected 1 to 5"),
        ("M", "0", "M is 0"),
        ("R1", "0", "R1 is 0; expected 1 to 16"),
        ("R1", "3.5", "R1 is '3.5'; expected a whole number"),
        ("B1", "", "B1 is ''"),
        ("B1", "9" * 30, "B1 is '9"),
        ("convblock1", "E", "convblock1 is 'E'; expected a letter from A, B, C, D"),
        ("convblock1", "0", "convblock1 is 0; expected 1 to 4"),
        ("1_day_accuracy", "93", "1_day_accuracy is '93'; expected a share"),
        ("1_day_accuracy", "nan", "1_day_accuracy is 'nan'"),
        ("AVM", "high", "AVM is 'high'"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(tmp_path, rows, column, value, said):
    text = refused(tmp_path, changed(rows, 5, column, value))
    assert said in text
    assert "line 5" in text


def test_a_block_beyond_m_must_be_zero(tmp_path, rows):
    line = 2 + int(np.flatnonzero(table(40).genes[:, 1] < 5)[0])
    text = refused(tmp_path, changed(rows, line, "B5", "3"))
    assert f"line {line}" in text
    assert "B5 is 3; expected 0" in text


def test_missing_and_double_columns(tmp_path, rows):
    assert "column 'R3' is missing" in refused(
        tmp_path, [[x for x, n in zip(row, rows[0], strict=True) if n != "R3"] for row in rows]
    )
    assert "column 'R3' is there twice" in refused(tmp_path, [[*row, row[rows[0].index("R3")]] for row in rows])


def test_what_stands_in_a_columns_place_is_named(tmp_path, rows):
    def renamed(old, new):
        return [[new if name == old else name for name in rows[0]], *rows[1:]]

    assert "'1_day_accuracy' is missing, but there is '1 Day Accuracy'" in refused(
        tmp_path, renamed("1_day_accuracy", "1 Day Accuracy")
    )
    assert "'AVM' is missing, but there is 'avm'" in refused(tmp_path, renamed("AVM", "avm"))
    assert "'widenfact1' is missing, but there is 'widen_fact1'" in refused(
        tmp_path, renamed("widenfact1", "widen_fact1")
    )
    for mark, said in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        path = tmp_path / "table.csv"
        path.write_text("".join(f"{mark.join(row)}\n" for row in rows))
        with pytest.raises(edgerl.UserError, match=f"the first line has {said}; separate columns with commas"):
            data.read_csv(path)


def test_percent_is_named(tmp_path, rows):
    column = rows[0].index("1_day_accuracy")
    percent = [rows[0], *([*row[:column], str(100 * float(row[column])), *row[column + 1 :]] for row in rows[1:])]
    assert "these look like percent, divide them by 100" in refused(tmp_path, percent)


@pytest.mark.parametrize("value", ["1e300", "inf", "-1", "9" * 400, "1e9999", "0x1p3", "1,5"])
def test_spreads_that_no_float32_holds(tmp_path, rows, value):
    assert "AVM is '" in refused(tmp_path, changed(rows, 5, "AVM", value))


def test_a_byte_order_mark_and_other_line_ends(tmp_path, rows):
    text = "\r\n".join(",".join(row) for row in rows)
    (tmp_path / "excel.csv").write_bytes(text.encode("utf-8-sig"))
    np.testing.assert_array_equal(data.read_csv(tmp_path / "excel.csv").genes, table(40).genes)
    (tmp_path / "utf16.csv").write_bytes(text.encode("utf-16"))
    with pytest.raises(edgerl.UserError, match=r"utf16\.csv is not a CSV file"):
        data.read_csv(tmp_path / "utf16.csv")


def test_empty_files(tmp_path, rows):
    assert "is empty" in refused(tmp_path, [])
    assert "no rows" in refused(tmp_path, rows[:1])
    assert "3 values" in refused(tmp_path, [*rows[:3], ["1", "2", "3"]])


def test_what_is_no_table(tmp_path):
    (tmp_path / "bytes").write_bytes(bytes(range(256)))
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "bytes"):
        with pytest.raises(edgerl.UserError, match=path.name):
            data.read_csv(path)
    with pytest.raises(edgerl.UserError, match="null byte"):
        data.read_csv("a\0b")


def test_many_rows(tmp_path, rows):
    """Thousands of times the same rows, over several chunks; the last one's mistake is found."""
    many = [rows[0], *(rows[1:] * 600)]
    assert len(data.read_csv(write(tmp_path / "many.csv", many))) == 24_000
    many = changed(many, len(many), "M", "9")
    with pytest.raises(edgerl.UserError, match="line 24001: M is 9"):
        data.read_csv(write(tmp_path / "many.csv", many))


def test_the_split_is_scikit_learns():
    """First rows as `train_test_split(np.arange(n), test_size=.2, random_state=42)` of scikit-learn gives them."""
    train, test = data.split(1200)
    assert test[:5].tolist() == [1178, 865, 101, 439, 58]
    assert train[:5].tolist() == [331, 409, 76, 868, 138]
    assert (len(train), len(test)) == (960, 240)
    assert data.split(7)[1].tolist() == [0, 1]
    assert sorted([*train, *test]) == list(range(1200))
