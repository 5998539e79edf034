"""The loop that everything is trained in, on a learner of a few lines."""

import numpy as np
import pytest

import edgerl
from edgerl.rl.run import loop
from edgerl.rl.run.logs import read_log

TOTAL = 10


class Walk(loop.Training):
    """A random walk: each update draws from the state alone. It may be interrupted, and its loss may be infinite."""

    METRICS = ("loss",)
    config = None
    marks, every, steps_per_update = (4, TOTAL), 3, 5

    def __init__(self, interrupted=None, infinite=None, label=""):
        self.interrupted, self.infinite, self.label, self.chunks = interrupted, infinite, label, []

    def init(self):
        return {"place": np.zeros(2), "seed": np.array([1])}

    def update(self, state, done, count):
        if done == self.interrupted:
            raise KeyboardInterrupt
        losses = []
        for i in range(done, done + count):
            step = np.random.default_rng(state["seed"]).normal(size=2)
            state = {"place": state["place"] + step, "seed": state["seed"] + 7}
            losses.append(state["place"] if i + 1 != self.infinite else np.array([0, np.inf]))
        self.chunks.append((done, count))
        return state, {"loss": np.array(losses)}

    def policy(self, state):
        return state["place"]

    def note(self, state, done, metrics):
        return f"{done} noted"

    def diverged(self, column, found):
        return f"column {column} is {found}"


@pytest.fixture
def whole(tmp_path):
    training = Walk()
    return tmp_path / "whole", training.policy(loop.train(training, tmp_path / "whole"))


def test_chunks_end_at_every_mark(tmp_path):
    training, lines = Walk(), []
    loop.train(training, tmp_path / "run", report=lines.append)
    assert training.chunks == [(0, 3), (3, 1), (4, 3), (7, 3)]
    assert lines == ["3 noted", "4 noted", "7 noted", "10 noted"]
    log = read_log(tmp_path / "run" / "log.csv")
    assert log["update"].tolist() == [update for update in range(1, TOTAL + 1) for _ in range(2)]
    assert log["steps"].tolist() == (5 * log["update"]).tolist()


@pytest.mark.parametrize("at", [0, 3, 4, 7])
def test_an_interrupted_training_says_how_far_it_is_and_goes_on_to_the_same_bits(whole, tmp_path, at):
    folder, lines = tmp_path / "run", []
    message = f"^update {at} of 10 is saved, and the same command goes on from there$"
    with pytest.raises(KeyboardInterrupt, match=message):
        loop.train(Walk(interrupted=at), folder)
    with pytest.raises(KeyboardInterrupt, match=f"^fast: {message[1:]}"):
        loop.train(Walk(interrupted=at, label="fast"), folder)
    training = Walk()
    state = loop.train(training, folder, report=lines.append)
    assert training.chunks[0][0] == at
    assert [line for line in lines if "resumed" in line] == [f"resumed after update {at} of 10"] * (at > 0)
    assert training.policy(state).tobytes() == whole[1].tobytes()
    assert (folder / "log.csv").read_bytes() == (whole[0] / "log.csv").read_bytes()


def test_a_finished_training_is_not_trained_again(whole):
    again = Walk(interrupted=0)
    assert again.policy(loop.train(again, whole[0])).tobytes() == whole[1].tobytes()
    state, done = loop.load(again, whole[0])
    assert done == TOTAL
    assert again.policy(state).tobytes() == whole[1].tobytes()


def test_a_loss_that_is_not_finite_is_not_saved(tmp_path):
    with pytest.raises(edgerl.UserError, match=r"^column 1 is inf at update 6$"):
        loop.train(Walk(infinite=6), tmp_path / "run")
    assert loop.load(Walk(), tmp_path / "run")[1] == 4
    assert read_log(tmp_path / "run" / "log.csv")["update"].max() == 4


def test_nothing_to_load(tmp_path):
    with pytest.raises(edgerl.UserError, match="has no checkpoint: train first"):
        loop.load(Walk(), tmp_path / "run")


def test_a_long_training_without_a_bar_tells_its_pace_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "LONG", 0.0)
    loop.train(Walk(), tmp_path / "run")
    said = capsys.readouterr().err
    assert said.startswith("edgerl: 6 updates to go, about ")
    assert said.endswith(" at this pace; it can be interrupted and resumed\n")
    assert said.count("\n") == 1
    loop.train(Walk(), tmp_path / "quiet", progress=False)
    assert capsys.readouterr().err == ""
