"""What `edgerl train early-exit` and `evaluate` say of a budget that not even the first exit keeps."""

import json

import numpy as np
import pytest

from edgerl import cli

SMALL = ("num_seeds=1", "front=0", "ppo.num_updates=4", "ppo.num_envs=64", "evaluation_envs=64", "evaluation_steps=4")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A table of a network whose two exits take 61 and 222 ms on medium_power, and a folder for runs."""
    folder = tmp_path_factory.mktemp("notes")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    logits = rng.normal(size=(400, 2, 3)) + 2 * (np.arange(3) == labels[:, None, None])
    np.savez(folder / "logits.npz", logits=logits, labels=labels, macs=[152.8e6, 555.5e6])
    assert cli.main(["logits", "import", str(folder / "logits.npz"), "--out", str(folder / "table.npz")]) == 0
    return folder


@pytest.mark.usefixtures("quick_compile")
def test_a_budget_that_no_exit_keeps_is_told_at_the_start_in_the_result_and_by_evaluate(files, capsys):
    out = files / "run"
    assert cli.main(["train", "early-exit", "--set", *SMALL, f"table={files / 'table.npz'}", "--out", str(out)]) == 0
    told = capsys.readouterr().err.splitlines()
    note = json.loads((out / "result.json").read_text())["notes"]
    assert [f"note: {line}" for line in note] == [line for line in told if line.startswith("note")]
    assert "profile medium_power: exit 1 alone takes 61.12 ms of a budget of 30 ms (204%)" in note[0]
    assert note[0].endswith("there is room in: high_power (1 of 2 exits)")
    assert cli.main(["evaluate", str(out), "--json"]) == 0
    said = capsys.readouterr()
    judged = json.loads(said.out)
    assert judged["notes"][0] == note[0]
    assert "the best rule stops 100.0% of the images at exit 1, so there is nothing to decide" in judged["notes"][1]
    assert said.err.splitlines() == [f"note: {line}" for line in judged["notes"]]
