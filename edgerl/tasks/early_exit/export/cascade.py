"""The whole early-exit network on a chip: stages and heads as int8 C, the policy between them, verified on images."""

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgerl import deploy
from edgerl.deploy.extras import Extra
from edgerl.tasks.early_exit.config import EarlyExitConfig, goal
from edgerl.tasks.early_exit.evaluation.baselines import chosen, first_stop
from edgerl.tasks.early_exit.evaluation.evaluate import actions_of
from edgerl.tasks.early_exit.export import cascade_checks, cascade_files
from edgerl.tasks.early_exit.export.exits_c import Device
from edgerl.tasks.early_exit.factory import from_table
from edgerl.tasks.early_exit.promise import evidence
from edgerl.tasks.early_exit.promise.certificate import certify
from edgerl.tasks.early_exit.promise.kept import Promise
from edgerl.tasks.early_exit.table.logits import WEIGHTS
from edgerl.tasks.early_exit.table.table import Table
from edgerl.tasks.early_exit.trunk import int8 as trunk_int8
from edgerl.tasks.early_exit.trunk import weights as trunk_weights
from edgerl.tasks.early_exit.trunk.data import FIT, POLICY, TEST, Dataset, load_images
from edgerl.tasks.early_exit.trunk.int8 import Int8Trunk
from edgerl.tasks.early_exit.trunk.model import Trunk, TrunkConfig, predict
from edgerl.util.errors import UserError

CALIBRATION = 1000  # images of the fit split
JUDGED = 1000  # test images, each also run in C on this host
_SAME_NETWORK = 0.95  # of predictions: a table holds logits in 8 bits


@dataclasses.dataclass(frozen=True)
class Cascade:
    """What a cascade adds to an export.

    Attributes:
      extra: its files, by their generator's name.
      inspect: evaluates and checks them in the folder, for the report.
      promise: the run's, kept by a rule that was calibrated on what the int8 network answers; None: there is none.
    """

    extra: dict[str, Extra]
    inspect: Callable[[Path], dict[str, Any]]
    promise: Promise | None


@contextlib.contextmanager
def prepared(
    settings: EarlyExitConfig, table: Table, data: str | None, name: str, promised: Promise | None = None
) -> Iterator[Cascade]:
    """The network of a run in int8: `NAME_network.{h,c}`, `NAME_cascade.{h,c}`, `*.tflite`, while an export is written.

    `edgerl verify` checks the policy of such a folder, and that the network's files follow from `network_int8.npz`;
    the network's checks on images are made here, and reported.
    The weights are the shipped ones, or those that lie beside the run's table (see `edgerl logits build`).

    Args:
      data: folder of the data set's binary files; None: through tensorflow-datasets.
      name: of the export.
      promised: of the run, for the float network. The int8 network answers otherwise, so the same loss and delta are
        calibrated again, on its answers.
    Raises:
      UserError: no weights; weights or images are not the table's; no rule keeps the promise with the int8 network.
    """
    path = weights_of(settings.table)
    config, variables = trunk_weights.load_weights(path)
    dataset = load_images(config.dataset, data)
    _check(path, config, variables, table, dataset)
    trunk = trunk_int8.quantise(config, variables, dataset.part(FIT)[0][:CALIBRATION])
    extras: Any = settings.extras
    env = from_table(table, "test", goal(settings), extras, draw_preference=settings.preference)
    again = None if promised is None else _promised(promised, trunk, dataset, table)
    certificate = None if again is None else again.certificate
    device = Device(env, table.temperatures, table.classes, certificate=certificate)
    images = dataset.part(TEST)[0][:JUDGED]
    with tempfile.TemporaryDirectory() as temporary:
        cascade_files.save(Path(temporary), trunk)
        extra = {cascade_files.NAME: Extra(source=Path(temporary))}
        yield Cascade(extra, lambda folder: {"cascade": evaluate(folder, name, trunk, device, images, table)}, again)


def _promised(promised: Promise, trunk: Int8Trunk, dataset: Dataset, table: Table) -> Promise:
    """The same promise, calibrated on what the int8 network answers on the images of the policy split."""
    images, labels = dataset.part(POLICY)
    parts = [images[start : start + JUDGED] for start in range(0, len(images), JUDGED)]
    logits = np.concatenate([trunk.logits(trunk.answers(trunk.outputs(part))) for part in parts])
    seen = evidence.of_logits(logits.astype(np.float32), labels, *evidence.cost_of(table))
    return Promise(certify(seen, promised.certificate.loss, promised.certificate.delta), seen)


def weights_of(named: str | None) -> Path:
    """The file of the trunk that made a run's table.

    Args:
      named: the configuration's table, a path, or None for the shipped one.
    Raises:
      UserError: there is none.
    """
    path = Path(named).with_name(WEIGHTS) if named else trunk_weights.SHIPPED
    if not path.is_file():
        raise UserError(f"{path} does not exist: the network's weights lie beside its table, as `edgerl logits build`")
    return path


def _check(path: Path, config: TrunkConfig, variables: Any, table: Table, dataset: Dataset) -> None:
    """Whether this network answered the table on these images."""
    images, labels = dataset.part(TEST)
    rows = table.rows(TEST)
    if len(rows) != len(labels) or (table.labels[rows] != labels).any():
        raise UserError("these are not the images of the run's table: its test labels differ")
    few = rows[:200]
    same = predict(Trunk(config), variables, images[: len(few)]).argmax(-1) == table.logits(few).argmax(-1)
    if same.mean() < _SAME_NETWORK:
        raise UserError(f"{path} is not the network of the run's table: {same.mean():.0%} of their predictions agree")


def evaluate(
    folder: Path, name: str, trunk: Int8Trunk, device: Device, images: np.ndarray, table: Table
) -> dict[str, Any]:
    """Accuracy, sizes and checks of an export, on the first test images uint8 [N, S, S, 3] of the table.

    Returns:
      passed: no check failed. images: N. exits: accuracy as float32 and int8, share of predictions that agree, [K].
      policy: what the deployed policy reaches on the table's logits and on the int8 network's. size: bytes on rv32imc.
      checks: {name, passed, images, differences}; `passed` is None where a tool is missing.
    """
    rows = table.rows(TEST)[: len(images)]
    labels, floats = table.labels[rows], table.logits(rows)
    outputs = trunk.outputs(images)
    logits = trunk.logits(trunk.answers(outputs))
    player = deploy.load(folder / f"{name}_int8.npz")
    stopping = functools.partial(device.exits.stops, lambda obs: actions_of(player, obs))
    predictions, stops, float_stops = logits.argmax(-1), first_stop(stopping(logits)), first_stop(stopping(floats))
    macs = np.array(cascade_files.macs(trunk))

    def reached(predicted: np.ndarray, exits: np.ndarray) -> dict[str, Any]:
        right = chosen(predicted == labels[:, None], exits).mean()
        shares = np.bincount(exits, minlength=len(macs)) / len(exits)
        return {"accuracy": float(right), "macs": float(macs[exits].mean()), "exits": shares.tolist()}

    expected = np.stack([stops, chosen(predictions, stops)], axis=1)
    checks = cascade_checks.checks(folder, name, trunk, images, outputs, expected)
    return {
        "passed": all(check["passed"] is not False for check in checks),
        "images": len(images),
        "exits": {
            "macs": macs.tolist(),
            "accuracy_float32": (floats.argmax(-1) == labels[:, None]).mean(0).tolist(),
            "accuracy_int8": (predictions == labels[:, None]).mean(0).tolist(),
            "agreement": (predictions == floats.argmax(-1)).mean(0).tolist(),
        },
        "policy": {
            "float32_network": reached(floats.argmax(-1), float_stops),
            "int8_network": reached(predictions, stops),
            "decisions_changed": float((stops != float_stops).mean()),
        },
        "size": cascade_checks.sizes(folder, name, trunk),
        "checks": checks,
    }
