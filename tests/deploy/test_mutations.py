"""Some changes of an export, none of which `verify` may pass; `EDGERL_MUTATIONS=2000` for as many as the issue asks."""

import os

import pytest

from benchmarks import mutations
from edgerl import deploy

COUNT = int(os.environ.get("EDGERL_MUTATIONS", "40"))


def test_no_change_of_what_reaches_the_chip_passes(exported):
    found = mutations.run(exported[1], COUNT, seed=3, num_vectors=16)
    assert found["bad"] == []
    assert sum(found["outcomes"].values()) == COUNT
    assert found["outcomes"]["failed"] > 0
    assert found["outcomes"]["refused"] > 0


def test_a_verify_that_passes_everything_breaks_or_hangs_is_seen(exported, monkeypatch):
    monkeypatch.setattr(deploy, "verify", lambda folder, num_vectors, targets: {"passed": True})
    found = mutations.run(exported[1], 20, seed=0)
    assert len(found["bad"]) > 10
    assert {bad["outcome"] for bad in found["bad"]} == {"passed"}

    def broken(folder, num_vectors, targets):
        raise TypeError("a traceback")

    monkeypatch.setattr(deploy, "verify", broken)
    assert mutations.judge(exported[1], exported[1])[0] == "traceback"
    monkeypatch.setattr(mutations, "LONGEST", 1)
    monkeypatch.setattr(deploy, "verify", lambda folder, num_vectors, targets: os.read(os.pipe()[0], 1))
    assert mutations.judge(exported[1], exported[1])[0] == "hang"


def test_what_is_harmless_is_told_from_what_is_not(exported, copy):
    assert mutations.harmless(copy, exported[1]) == "nothing differs"
    text = (copy / "report.json").read_text()
    (copy / "report.json").write_text(text.replace('"agreement": 0.', '"agreement": 0.1'))
    assert mutations.harmless(copy, exported[1]) == "report.json: fidelity"
    (copy / "report.json").write_text(text.replace('"tflm_arena": 1', '"tflm_arena": 2'))
    assert mutations.harmless(copy, exported[1]) is None
    (copy / "report.json").write_text(f"{text}}}")  # no JSON any more
    assert mutations.harmless(copy, exported[1]) is None
    (copy / "report.json").write_text(text)
    (copy / "policy.c").write_text("")
    assert mutations.harmless(copy, exported[1]) is None


@pytest.mark.parametrize("kind", mutations.CHANGES)
def test_changes_change(kind):
    import numpy as np

    rng, data = np.random.default_rng(0), b"line 1\nline 2\nline 30\n"
    assert any(mutations.CHANGES[kind](rng, data) != data for _ in range(5))
