"""A certificate on the chip: the C decides by it, the header says it, and what was tampered with is refused."""

import dataclasses
import hashlib
import json
import shutil
import subprocess

import numpy as np
import pytest
from synthetic import synthetic_table

from edgerl import UserError, deploy, open_run
from edgerl.tasks.early_exit.promise import evidence, kept
from edgerl.tasks.early_exit.table.table import load_table, save_table
from edgerl.tasks.early_exit.trunk.data import TEST


@pytest.fixture(scope="module")
def exported(promising_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "c"
    return folder, open_run(promising_run).export(folder)


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported[0], tmp_path / "copy")


DRIVER = """
#include <stdio.h>
#include "policy_exits.h"
int main(void)
{
    static float logits[POLICY_CLASSES];
    static struct policy_exits exits;
    int exit = 0;
    if (policy_exits_self_test() != 0) return 2;
    policy_exits_init(&exits);
    while (fread(logits, sizeof logits, 1, stdin) == 1) {
        putchar(policy_should_exit(&exits, logits, exit) << 7 | policy_prediction(&exits));
        exit = (exit + 1) % POLICY_EXITS;
    }
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="cc, a C compiler, is not installed")
def test_the_exported_c_keeps_the_promise(exported, promise_table, copy):
    (copy / "driver.c").write_text(DRIVER)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsanitize=address,undefined"]
    command = ["cc", *strict, "policy_exits.c", "policy.c", "driver.c", "-o", "driver"]
    subprocess.run(command, cwd=copy, check=True, timeout=120)
    table = load_table(promise_table)
    rows = table.rows(TEST)
    out = subprocess.run(
        [copy / "driver"], input=table.logits(rows).tobytes(), capture_output=True, check=True, timeout=120
    ).stdout
    answers = np.frombuffer(out, np.uint8).reshape(len(rows), table.exits)
    exits = (answers >> 7).argmax(1)
    right = (answers & 127) == table.labels[rows][:, None]
    lost = right[:, -1].mean() - right[np.arange(len(rows)), exits].mean()
    promised = exported[1]["extra"]["exits"]["certificate"]
    np.testing.assert_array_equal(exits, evidence.of_table(table, "test").exits(np.array([promised["threshold"]]))[0])
    said = exported[1]["closed_loop"]["promise"]
    assert set(said) == {"images", "last_exit_accuracy", "accuracy", "accuracy_loss", "cost_share"}
    assert lost == pytest.approx(said["accuracy_loss"])
    assert lost <= promised["loss"] == 0.02
    assert 0 < exits.mean() < 3


def test_the_header_says_it(exported, promising_run):
    header = (exported[0] / "policy_exits.h").read_text()
    promised = json.loads((promising_run / kept.FILE).read_text())["certificate"]
    assert promised == exported[1]["extra"]["exits"]["certificate"]
    for text in (
        "Promise: with probability 0.9, at most 0.02 of the accuracy is lost against the last exit.",
        f"Calibrated on 4,000 images: loss {promised['measured_loss']:.4g}, its upper bound {promised['bound']:.4g}",
        "exchangeable",
        f"#define POLICY_THRESHOLD {promised['threshold']}u",
        promised["evidence"],
    ):
        assert text in header


def checks_of(folder):
    return {check["name"]: check["passed"] for check in deploy.verify(folder, 16, targets=["host C"])["checks"]}


def test_verify_passes_what_was_exported(exported):
    assert set(checks_of(exported[0]).values()) <= {True, None}


def tampered(folder, change):
    """Changes the report's certificate, and the header and hashes as one would who knows how."""
    report = json.loads((folder / "report.json").read_text())
    promised = report["extra"]["exits"]["certificate"]
    header = folder / "policy_exits.h"
    text = header.read_text().replace(f"{promised['threshold']}u", f"{change.get('threshold', promised['threshold'])}u")
    header.write_text(text.replace("at most 0.02", f"at most {change.get('loss', 0.02):g}"))
    promised |= change
    report["files"] |= {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in report["files"]}
    (folder / "report.json").write_text(json.dumps(report))


@pytest.mark.parametrize(
    "change",
    [{"loss": 0.005}, {"delta": 0.01}, {"threshold": 20_000}, {"images": 10**6}, {"bound": 0.001}, {"p_value": 1e-9}]
    + [{"rule": "*/ int x; /*"}, {"evidence": "0" * 64}, {"loss": float("nan")}, {"more": 1}, {"cost_share": 0.1}],
)
def test_a_tampered_certificate_is_refused_by_verify(copy, change):
    tampered(copy, change)
    with pytest.raises(UserError, match="certificate") as caught:
        deploy.verify(copy, 16, targets=["host C"])
    assert str(caught.value).isprintable()


def test_a_certificate_taken_out_or_changed_in_the_header_alone_fails(copy, exported):
    header = copy / "policy_exits.h"
    header.write_text(header.read_text().replace("at most 0.02", "at most 0.002"))
    tampered(copy, {})
    assert checks_of(copy)["generated files"] is False
    shutil.copy(exported[0] / "policy_exits.h", header)
    report = json.loads((copy / "report.json").read_text())
    report["extra"]["exits"]["certificate"] = None
    (copy / "report.json").write_text(json.dumps(report))
    assert checks_of(copy)["generated files"] is False


@pytest.mark.parametrize("name", ["probability", "right", "cost"])
def test_other_evidence_is_refused_by_verify(copy, name):
    proof = evidence.load(copy / "certificate.npz")
    values = getattr(proof, name).copy()
    values[0] = ~values[0] if name == "right" else values[0] // 2
    evidence.save(copy / "certificate.npz", dataclasses.replace(proof, **{name: values}))
    tampered(copy, {})
    with pytest.raises(UserError, match="does not belong to these integers"):
        deploy.verify(copy, 16, targets=["host C"])


def test_what_is_no_evidence_is_one_line(copy):
    np.savez(copy / "certificate.npz", probability=np.zeros(3))
    tampered(copy, {})
    with pytest.raises(UserError, match="is not the evidence of a certificate"):
        deploy.verify(copy, 16, targets=["host C"])


@pytest.mark.parametrize("change", [{"loss": 0.001}, {"threshold": 30_000}, {"bound": 0.0}, {"images": 5}, None])
def test_a_tampered_certificate_is_refused_by_export(promising_run, tmp_path, change):
    mine = shutil.copytree(promising_run, tmp_path / "run")
    found = json.loads((mine / kept.FILE).read_text())
    found["certificate"] = None if change is None else found["certificate"] | change
    (mine / kept.FILE).write_text(json.dumps(found))
    with pytest.raises(UserError, match=kept.FILE):
        open_run(mine).export(tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_certificate_of_another_table_is_refused(promising_run, tmp_path):
    other = dataclasses.replace(synthetic_table(images=8000, classes=20, seed=1))
    save_table(tmp_path / "other.npz", other)
    path = tmp_path / "run"
    path.mkdir()
    shutil.copy(promising_run / kept.FILE, path / kept.FILE)
    with pytest.raises(UserError, match="does not belong to these integers"):
        kept.of_run(path, load_table(tmp_path / "other.npz"))
