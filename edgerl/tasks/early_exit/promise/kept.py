"""A run's promise: calibrated on the policy split, judged on the test split, kept in the folder, checked on reading."""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgerl.tasks.early_exit.promise.certificate import Certificate, certify, few_images, naive, read
from edgerl.tasks.early_exit.promise.evidence import Evidence, of_table
from edgerl.tasks.early_exit.table.table import Table
from edgerl.tasks.early_exit.trunk.data import TEST
from edgerl.util import files
from edgerl.util.errors import UserError

FILE = "certificate.json"  # in a run's folder
SWEPT = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05)


@dataclasses.dataclass(frozen=True)
class Promise:
    """A certificate, and what it was computed from."""

    certificate: Certificate
    evidence: Evidence


def calibrated(table: Table, loss: float, delta: float) -> dict[str, Any]:
    """The certificate of a promise, beside what one would choose without a bound, both judged on the test images.

    Returns:
      certificate: see `Certificate`. naive: the threshold, or None, that keeps the promise on the calibration images
      themselves. test: images, the last exit's accuracy, and of both rules accuracy, accuracy_loss and cost_share; None
      where the table has no test images. notes: lines that a reader must know, if any.
    Raises:
      UserError: a promise out of range or that cannot be certified, a table without a policy split.
    """
    seen = of_table(table, "policy")
    made = certify(seen, loss, delta)
    unproven = naive(seen, made.loss)
    few = few_images(seen, made, made.threshold if unproven is None else unproven)
    return {
        "certificate": dataclasses.asdict(made),
        "naive": unproven,
        "test": _judged(table, {"certified": made.threshold, "naive": unproven}),
        **({"notes": [few]} if few else {}),
    }


def on_test_images(table: Table, promise: Promise) -> dict[str, Any] | None:
    """What the certified rule reaches on a table's test images, in the device's integers; None where there are none."""
    found = _judged(table, {"certified": promise.certificate.threshold})
    if found is None:
        return None
    rule = found.pop("certified")
    return {**found, **rule}


def judged(evidence: Evidence, thresholds: Mapping[str, int | None]) -> dict[str, Any]:
    """What rules reach on images that nothing was calibrated on."""
    last = float(evidence.right[:, -1].mean())
    rules = {name: None if rule is None else evidence.outcome(rule) for name, rule in thresholds.items()}
    return {"images": len(evidence.right), "last_exit_accuracy": last, **rules}


def _judged(table: Table, thresholds: Mapping[str, int | None]) -> dict[str, Any] | None:
    return judged(of_table(table, "test"), thresholds) if table.rows(TEST).size else None


def sweep(table: Table, delta: float) -> list[dict[str, Any]]:
    """For some promises what the certified rule and the one chosen without a bound reach on the test images.

    Returns:
      Rows of "loss", "certified" and "naive", as `judged` has them; promises that cannot be certified are left out.
    """
    seen, test, found = of_table(table, "policy"), of_table(table, "test"), []
    for loss in SWEPT:
        with contextlib.suppress(UserError):  # too few images for so small a loss
            rules = {"certified": certify(seen, loss, delta).threshold, "naive": naive(seen, loss)}
            found.append({"loss": loss, **judged(test, rules)})
    return found


def of_run(folder: Path, table: Table) -> Promise | None:
    """What a run's folder promises; None where nothing was certified.

    Raises:
      UserError: the certificate is not the one that follows from the table's integers.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    found = files.read_json(path)
    seen = of_table(table, "policy")
    try:
        return Promise(read(found.get("certificate") if isinstance(found, dict) else None, seen), seen)
    except UserError as error:
        raise UserError(f"{path}: {error}; certify the run again, or remove the file") from error
