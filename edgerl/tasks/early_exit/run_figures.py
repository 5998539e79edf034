"""All pictures of an early-exit run."""

import dataclasses
from pathlib import Path

import jax
import numpy as np

from edgerl.tasks.cifar import LAYOUTS, class_names
from edgerl.tasks.early_exit import figures as pictures
from edgerl.tasks.early_exit.config import EarlyExitConfig, images, modes
from edgerl.tasks.early_exit.env import EXIT
from edgerl.tasks.early_exit.evaluation.baselines import chosen, first_stop
from edgerl.tasks.early_exit.evaluation.evaluate import actions_of
from edgerl.tasks.early_exit.evaluation.stopping import fit_stopping
from edgerl.tasks.early_exit.promise import kept as promises
from edgerl.tasks.early_exit.table.calibration import expected_calibration_error
from edgerl.tasks.early_exit.table.table import SHIPPED, Table, load_table
from edgerl.tasks.early_exit.trunk.data import TEST, load_images
from edgerl.tasks.generic.figures import kept_return, learning_curve
from edgerl.tasks.run import JUDGEMENT, Run
from edgerl.util import files
from edgerl.util.errors import UserError


def draw(run: Run, data: str | None) -> list[Path]:
    """Writes them into RUN/figures. `data`: a folder with CIFAR-100's binary files, for the gallery."""
    settings, table = run.config, load_table(run.config.table or SHIPPED)
    kept = run.folder / JUDGEMENT
    judged = files.read_json(kept) if kept.is_file() else run.evaluate()
    mode, preference = list(modes(settings).items())[len(modes(settings)) // 2]
    test = images(settings, table, "test", preference)
    logits = table.logits(table.rows(TEST))
    labels = table.labels[table.rows(TEST)]
    true = np.take_along_axis(_probabilities(logits, table), labels[:, None, None], 2)[..., 0]
    stop = actions_of(run.perceptron, test.observations) == EXIT
    exits = first_stop(stop)
    raw = _probabilities(logits, dataclasses.replace(table, temperatures=np.ones_like(table.temperatures))).max(-1)
    steps, returns = run.learning_curve()
    bound = None if settings.preference else {"optimal stopping": _bound_in_training(settings, table)}
    folder = run.folder / "figures"
    drawn = [
        pictures.exits_by_difficulty(folder / "exit_distribution.png", exits, true[:, -1], table.exits),
        pictures.decisions_by_confidence(folder / "confidence.png", test.features.confidence, stop),
        learning_curve(folder / "reward_curve.png", steps, returns, "PPO on EarlyExit-v0", bound, kept_return(run)),
        pictures.reliability(
            folder / "reliability.png",
            raw,
            test.features.probability,
            test.correct,
            np.array([expected_calibration_error(p, test.correct) for p in (raw, test.features.probability)]),
        ),
    ]
    if "front" in judged:
        path = folder / "accuracy_against_cost.png"
        rules = judged["modes"][mode]["rules"]
        drawn.append(pictures.accuracy_against_cost(path, judged["front"], rules, table.exits, settings.profile))
    promised = promises.of_run(run.folder, table)
    if promised is not None:
        path, delta = folder / "promise.png", promised.certificate.delta
        drawn.append(pictures.promised_loss(path, promises.sweep(table, delta), delta))
    if data is not None:
        drawn.append(_gallery(folder / "gallery.png", data, table, exits))
    return drawn


def _probabilities(logits: np.ndarray, table: Table) -> np.ndarray:
    """float32 [n, K, C] at the table's temperatures."""
    return np.asarray(jax.nn.softmax(logits / table.temperatures[:, None]))


def _bound_in_training(settings: EarlyExitConfig, table: Table) -> float:
    fit = images(settings, table, "policy", None)
    return float(chosen(fit.reward, fit_stopping(fit.observed, fit.reward).exits(fit.observed)).mean())


def _gallery(path: Path, data: str, table: Table, exits: np.ndarray) -> Path:
    name = "cifar10" if table.classes == LAYOUTS["cifar10"].classes else "cifar100"
    pixels, labels = load_images(name, data).part(TEST)
    if len(pixels) != len(exits) or (labels != table.labels[table.rows(TEST)]).any():
        raise UserError(f"{data} does not hold the images of the table: its test labels differ")
    named = class_names(name, data)
    captions = [named[label] if named else f"class {label}" for label in labels]
    return pictures.gallery(path, pixels, exits, captions, table.exits)
