"""`vit`: its result's layout, and that both contestants train the same model."""

import contextlib
import json

import peers
import pytest
import rounds
import vit


def measured(loss, cpu_seconds):
    repeat = {"steps": 4, "seconds": cpu_seconds / 2, "cpu_seconds": cpu_seconds, "first_loss": loss}
    return {"settings": {}, "compile_s": 1.0, "info": {}, "search": [], "repeats": [repeat] * 3}


def result(monkeypatch, theirs):
    found = [{"edgerl": measured(2.5, 2.0), "PyTorch": theirs}, {"edgerl": measured(2.4, 1.0), "PyTorch": theirs}]
    monkeypatch.setattr(rounds, "measure", lambda *_: found.pop(0))
    return json.loads(json.dumps(vit.run(offline=True, figure=False), allow_nan=False))


def test_layout_of_the_result(monkeypatch):
    made = result(monkeypatch, {"absent": "not installed"})
    assert list(made) == ["benchmark", "date", "machine", "contestants", "ratios", "goals"]
    assert made["contestants"]["64 tokens: edgerl"]["median"] == {"seconds_a_step": 0.25, "cpu_seconds_a_step": 0.5}
    share, *others = made["goals"].values()
    assert share == {"at_most": 0.6, "measured": 0.5, "met": True}
    assert [goal["met"] for goal in others] == [None, None]
    assert vit.rows(made)[1] == ["64 tokens: PyTorch", "absent: not installed"]


def test_another_model_has_failed(monkeypatch):
    made = result(monkeypatch, measured(2.5, 3.0))
    assert made["ratios"]["64 tokens: edgerl / PyTorch, speed"]["of_medians"] == pytest.approx(1.5)
    other = made["contestants"]["30 tokens: PyTorch"]
    assert other["failed"] == "another model: its first loss is 2.5000 instead of 2.4000"
    assert made["ratios"]["30 tokens: edgerl / PyTorch, speed"] is None


@pytest.mark.long
def test_the_contestants_that_are_installed_find_the_same_loss(monkeypatch):
    small = {"width": 16, "depth": 2, "heads": 2, "hidden": 24, "stem": 8, "batch": 4}
    monkeypatch.setattr(vit, "SHAPE", small)
    losses = {}
    for contestant in vit.contestants(30):
        with contextlib.suppress(peers.PeerAbsentError), rounds.started(contestant, offline=True) as worker:
            for settings in contestant.candidates:
                worker.prepare(settings)
                losses[contestant.name, settings.get("fused")] = worker.run()["first_loss"]
    assert losses["edgerl", None] > 1
    assert losses == {name: pytest.approx(losses["edgerl", None], abs=1e-4) for name in losses}
