import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgerl import UserError
from edgerl.tasks.early_exit.table.features import features
from edgerl.tasks.early_exit.table.table import LEVELS, load_table, quantise, save_table
from edgerl.tasks.early_exit.trunk.data import TEST
from edgerl.tasks.hardware.profiles import Profile
from edgerl.util.files import read_npz, write_npz


def same(a, b):
    for field in dataclasses.fields(a):
        np.testing.assert_equal(getattr(a, field.name), getattr(b, field.name))


def test_a_table_survives_the_file(tmp_path, table):
    save_table(tmp_path / "t.npz", table)
    same(load_table(tmp_path / "t.npz"), table)


def test_same_table_same_bytes(tmp_path, table):
    save_table(tmp_path / "a.npz", table)
    save_table(tmp_path / "b.npz", table)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


logits_strategy = hnp.arrays(
    np.float32,
    st.tuples(st.just(4), st.just(2), st.integers(2, 6)),
    elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False),
)


@given(logits_strategy)
def test_quantised_logits_are_within_half_a_step(logits):
    q, scale = quantise(logits)
    assert q.dtype == np.int8
    assert np.abs(q.astype(int)).max() <= LEVELS
    assert (scale > 0).all()
    assert (np.abs(q * scale[..., None].astype(np.float64) - logits) <= 0.501 * scale[..., None]).all()


def test_features_by_hand(table):
    # Two classes with probabilities 0.8 and 0.2 at every exit.
    q, scale = quantise(np.tile(np.log(np.array([0.8, 0.2], np.float32)), (60, 3, 1)))
    two = dataclasses.replace(
        table, logits_q=q, scale=scale, labels=table.labels % 2, temperatures=np.ones(3, np.float32)
    )
    seen = features(two, np.arange(10))
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    np.testing.assert_allclose(seen.confidence, 1 - entropy / np.log(2), atol=0.01)
    np.testing.assert_allclose(seen.probability, 0.8, atol=0.002)
    np.testing.assert_allclose(seen.margin, 0.6, atol=0.004)
    np.testing.assert_array_equal(seen.prediction, 0)
    np.testing.assert_array_equal(seen.correct, (two.labels[:10] == 0)[:, None].repeat(3, 1))


def test_features_use_the_temperatures_and_do_not_depend_on_the_chunk(table, monkeypatch):
    rows = table.rows(TEST)
    whole = features(table, rows)
    logits = table.logits(rows) / table.temperatures[:, None]
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(whole.probability, p.max(-1), rtol=1e-5)
    monkeypatch.setattr("edgerl.tasks.early_exit.table.features.CHUNK_VALUES", 3 * 5 * 7)
    for a, b in zip(dataclasses.astuple(whole), dataclasses.astuple(features(table, rows)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert (whole.margin <= whole.probability).all()
    assert ((whole.confidence >= 0) & (whole.confidence <= 1)).all()


def test_latency_comes_from_the_profile_or_from_the_table(table):
    profile = Profile(macs_per_second=1e9, power_mw=10.0)
    np.testing.assert_allclose(table.latency_on(profile), [1, 3, 6])
    np.testing.assert_allclose(table.energy_on(profile), [0.01, 0.03, 0.06])
    measured = dataclasses.replace(table, macs=None, latency_ms=np.array([2.0, 4.0, 8.0]))
    np.testing.assert_allclose(measured.latency_on(profile), [2, 4, 8])


def without(arrays, name):
    return {key: value for key, value in arrays.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: without(a, "scale"), "no array 'scale'"),
        (lambda a: without(a, "macs"), "neither 'macs' nor 'latency_ms'"),
        (lambda a: a | {"mac": np.ones(3)}, "unknown array 'mac'"),
        (lambda a: a | {"logits_q": a["logits_q"].astype(np.float32)}, "expected int8"),
        (lambda a: a | {"logits_q": a["logits_q"][:, :1]}, "at least 2 exits"),
        (lambda a: a | {"logits_q": a["logits_q"][0]}, "expected \\[images, exits, classes\\]"),
        (lambda a: a | {"scale": a["scale"] * np.nan}, "scale must be finite"),
        (lambda a: a | {"scale": a["scale"][:5]}, "scale has shape \\[5, 3\\]; expected \\[60, 3\\]"),
        (lambda a: a | {"scale": a["scale"].astype(np.float64)}, "scale is float64"),
        (lambda a: a | {"temperatures": np.zeros(3, np.float32)}, "temperatures must be finite and above 0"),
        (lambda a: a | {"labels": a["labels"] + 3}, "labels\\[\\d+\\] is \\d; expected 0 to 4"),
        (lambda a: a | {"labels": a["labels"].astype(np.float32)}, "labels are float32; expected whole numbers"),
        (lambda a: a | {"split": a["split"] * 0}, "split has no 1 \\(policy\\)"),
        (lambda a: a | {"split": a["split"] + 1}, "split\\[\\d+\\] is 3; expected 0 to 2"),
        (lambda a: a | {"macs": np.array([1.0, 3.0, 2.0])}, "macs must rise"),
        (lambda a: a | {"macs": np.array([1.0, 2.0])}, "macs has shape \\[2\\]; expected \\[3\\]"),
    ],
)
def test_a_wrong_table_is_one_clear_line(tmp_path, table, change, message):
    path = tmp_path / "t.npz"
    save_table(path, table)
    write_npz(path, change(read_npz(path)))
    with pytest.raises(UserError, match=message) as error:
        load_table(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
