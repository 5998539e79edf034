"""The early-exit commands on a table of one's own: import, train, evaluate, figures, export, the C's decisions."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from boards import answers, arduino, esp_idf
from whole_way import train

from edgerl import cli, deploy, open_run
from edgerl.deploy.folder import PAGE
from edgerl.deploy.machines import wasm
from edgerl.tasks.early_exit.evaluation.evaluate import actions_of
from edgerl.tasks.early_exit.export.exits_c import Device
from edgerl.tasks.early_exit.factory import from_table
from edgerl.tasks.early_exit.table.table import load_table
from edgerl.tasks.early_exit.trunk.data import TEST

EXAMPLE = Path(__file__).parents[3] / "examples" / "own_logits.py"
SMALL = ["num_seeds=2", "front=6", "evaluation_envs=256", "ppo.num_updates=60", "front_ppo.num_updates=30"]


@pytest.fixture(scope="module")
def table_path(tmp_path_factory):
    """The table of the example's network: 3 exits, 10 classes, 5,000 images a split."""
    folder = tmp_path_factory.mktemp("own")
    old = sys.argv
    try:
        sys.argv = ["own_logits.py", str(folder / "logits.npz")]
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    finally:
        sys.argv = old
    assert cli.main(["logits", "import", str(folder / "logits.npz"), "--out", str(folder / "table.npz")]) == 0
    return folder / "table.npz"


@pytest.fixture(scope="module")
def run(table_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mine"
    train("early-exit", [f"table={table_path}", *SMALL], folder)
    return folder


def test_evaluate(run, capsys):
    assert cli.main(["evaluate", str(run), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    judged = result["modes"]["policy"]
    rewards = {name: report["reward"]["mean"] for name, report in judged["rules"].items()}
    assert judged["share_of_bound"] > 0.97
    assert judged["policy"]["reward"]["mean"] > max(rewards[f"exit {k}"] for k in (1, 2, 3))
    assert rewards["oracle"] > rewards["optimal stopping"]
    assert sum(judged["policy"]["exits"]) == pytest.approx(1)
    front = result["front"]
    assert len(front["budgets"]) == 20
    assert len(front["shares_of_bound"]) == 6
    for row in front["budgets"]:
        assert row["policy"]["macs"] < 1.03 * row["budget_macs"]
        assert row["lead"]["low"] <= row["lead"]["mean"] <= row["lead"]["high"]
    assert front["compute_kept"]["kept"]["share_of_macs"] < 1


def test_a_table_is_not_overwritten(table_path, capsys):
    before = table_path.read_bytes()
    assert cli.main(["logits", "import", str(table_path), "--out", str(table_path)]) == 2
    assert "exists" in capsys.readouterr().err
    assert table_path.read_bytes() == before


def test_figures(run):
    drawn = open_run(run).figures()
    assert {path.name for path in drawn} == {
        "accuracy_against_cost.png",
        "confidence.png",
        "exit_distribution.png",
        "reliability.png",
        "reward_curve.png",
    }
    assert all(path.stat().st_size > 10_000 for path in drawn)


@pytest.mark.long
def test_one_policy_for_many_weights(table_path, tmp_path):
    """What it is told to spare more, it spends less on."""
    train("early-exit", [f"table={table_path}", *SMALL, "preference=true", "front=0"], tmp_path / "run")
    modes = open_run(tmp_path / "run").evaluate()["modes"]
    spent = [modes[mode]["policy"]["macs"]["mean"] for mode in ("aggressive", "balanced", "conservative")]
    assert spent[0] < spent[1] < spent[2]


DRIVER = """
#include <stdio.h>
#include "policy_exits.h"
int main(void)
{
    static float logits[POLICY_CLASSES];
    static struct policy_exits exits;
    int exit = 0;
    if (policy_exits_self_test() != 0 || policy_self_test() != 0) return 2;
    policy_exits_init(&exits);
    while (fread(logits, sizeof logits, 1, stdin) == 1) {
        putchar(policy_should_exit(&exits, logits, exit));
        exit = (exit + 1) % POLICY_EXITS;
    }
    return 0;
}
"""


@pytest.mark.long
@pytest.mark.skipif(shutil.which("cc") is None, reason="cc, a C compiler, is not installed")
def test_the_exported_c_decides_as_jax_does(run, table_path, tmp_path):
    folder = tmp_path / "c"
    report = open_run(run).export(folder)
    assert {"policy_exits.h", "policy_exits.c", "policy.c"} <= set(report["files"])
    assert json.loads((folder / "report.json").read_text())["files"] == report["files"]
    assert report["closed_loop"]["decisions_changed"] < 0.1
    for check in deploy.verify(folder, num_vectors=100)["checks"]:  # the features' own test on every machine
        assert check["passed"] is not False, check
    assert (PAGE in report["files"]) is (wasm.missing() is None)
    assert "images" in report["extra"]  # which the page plays
    (folder / "driver.c").write_text(DRIVER)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsanitize=address,undefined"]
    subprocess.run(
        ["cc", *strict, "policy_exits.c", "policy.c", "driver.c", "-o", "driver"], cwd=folder, check=True, timeout=120
    )
    table = load_table(table_path)
    logits = table.logits(table.rows(TEST))
    out = subprocess.run([folder / "driver"], input=logits.tobytes(), capture_output=True, check=True, timeout=120)
    device = Device(from_table(table, "test", extras=("margin", "agreement", "probability")), table.temperatures, 10)
    expected = actions_of(deploy.load(folder), device.observe(logits)) | (np.arange(table.exits) == table.exits - 1)
    np.testing.assert_array_equal(np.frombuffer(out.stdout, np.uint8).reshape(expected.shape), expected)
    few = logits[:20]
    lines = [f"logits: [{i} {' '.join(f'{x:.9g}' for x in row)}]" for image in few for i, row in enumerate(image)]
    wanted = [f"exit: {e} class: {c}" for e, c in zip(expected[:20].flat, few.argmax(axis=-1).flat, strict=True)]
    for program in (arduino(folder, tmp_path), esp_idf(folder / "esp_idf", tmp_path)):
        assert answers(program, "\n".join([*lines, ""]))[2:] == wanted


def test_a_gallery_needs_the_right_images(run, tmp_path):
    with pytest.raises(Exception, match=str(tmp_path)):
        open_run(run).figures(data=str(tmp_path))
