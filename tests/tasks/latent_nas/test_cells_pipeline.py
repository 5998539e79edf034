"""`edgerl train latent-nas --set space=nasbench201` from a made-up table to C, at toy size."""

import json

import cells as made_up
import pytest
from whole_way import train

from edgerl import cli, open_run

SMALL = (
    "space=nasbench201",
    "cells.looks=30",
    "cells.counts=[10,20]",
    "cells.runs=2",
    "cells.slow_runs=0",
    "cells.search.growth=2",
    "cells.search.first_updates=2",
    "cells.search.updates=1",
    "cells.search.walks=16",
    "cells.autoencoder.steps=300",
    "cells.autoencoder.width=64",
    "num_seeds=1",
    "ppo.num_updates=4",
    "ppo.num_envs=64",
    "ppo.hidden_sizes=[16]",
    "evaluation_envs=64",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made_up.write(tmp_path_factory.mktemp("cells") / "table.csv")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train("latent-nas", [f"data={data}", *SMALL], folder)
    return folder


@pytest.mark.long
def test_evaluate_and_figures(run, capsys):
    assert cli.main(["evaluate", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["looks_of_training"] == 30
    assert found["regret_of_training"] >= 0
    assert found["surrogate"]["training_cells"] == 30
    assert set(found["regret_at_equal_looks"]) >= {"agent", "random", "regularised evolution", "local search"}
    assert all(set(at) == {"10", "20"} for at in found["regret_at_equal_looks"].values())
    assert found["walks"]["agent"]["starts"] == 1000
    described = json.loads((run / "cells.json").read_text())
    assert {"cell", "parameters", "macs", "measured"} == set(described[0])
    drawn = open_run(run).figures()
    assert [path.name for path in drawn] == ["looks.png", "predicted.png"]
    assert all(path.stat().st_size > 5000 for path in drawn)


@pytest.mark.long
def test_export(run, tmp_path):
    report = open_run(run).export(tmp_path / "c")
    assert report["policy"]["sizes"] == [6, 16, 37]
    assert set(report["closed_loop"]) == {"float32", "int8"}
    header = (tmp_path / "c" / "policy.h").read_text()
    assert "[5] latent coordinate 5: " in header
    assert "*   36: stop\n" in header


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "states no licence"),
        (["data=missing.csv"], "cannot read missing.csv"),
        (["cells.parameters=73306", "cells.looks=800", "data={table}"], "729 cells keep the limits"),
    ],
)
def test_what_cannot_be_searched_is_told(data, tmp_path, capsys, more, words):
    more = [text.format(table=data) for text in more]
    assert cli.main(["train", "latent-nas", "--set", *SMALL, *more, "--out", str(tmp_path / "run")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
