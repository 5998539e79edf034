"""From a trained trunk to the table and the weights file, with what the 8 bits and the temperatures did."""

import datetime
import platform
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl.rl.run import loop
from edgerl.tasks.early_exit.table.calibration import expected_calibration_error, fit_temperatures
from edgerl.tasks.early_exit.table.features import exit_features
from edgerl.tasks.early_exit.table.table import Table, load_table, quantise, save_table
from edgerl.tasks.early_exit.trunk.config import TrainConfig
from edgerl.tasks.early_exit.trunk.data import FIT, POLICY, TEST, Dataset
from edgerl.tasks.early_exit.trunk.model import Trunk, exit_macs, predict
from edgerl.tasks.early_exit.trunk.train import CONFIG_FILE, TrunkTraining
from edgerl.tasks.early_exit.trunk.weights import int8_bytes, save_weights, stored
from edgerl.util.config import as_dict, build
from edgerl.util.errors import UserError
from edgerl.util.files import read_json, write_json


def build_table(
    run: str | Path, data: Dataset, table_path: str | Path, weights_path: str | Path, command: str, remarks: str = ""
) -> Table:
    """Computes the logits of all images with the weights as they are stored, and writes both files and a report.

    The report is the table's provenance; it is also written beside the table as `.json`.

    Args:
      run: folder that `train` has finished.
      data: all three splits.
      table_path: the table, `.npz`.
      weights_path: the weights, `.npz`.
      command: what the user typed, for the report.
      remarks: what else a reader of the report must know.
    Raises:
      UserError: the run is missing or not finished.
    """
    config, trained = _finished(Path(run), data)
    kept = stored(trained)
    save_weights(weights_path, config.trunk, kept)
    logits = predict(Trunk(config.trunk), kept, data.images)
    logits_q, scale = quantise(logits)
    policy = data.split == POLICY
    temperatures = np.asarray(fit_temperatures(logits[policy], data.labels[policy]))
    macs = exit_macs(config.trunk, data.images.shape[1]).astype(np.float64)
    table = Table(logits_q, scale, data.labels, data.split, temperatures, macs)
    provenance = {
        "command": command,
        "remarks": remarks,
        "date": datetime.date.today().isoformat(),
        "jax": jax.__version__,
        "machine": platform.machine(),
        "config": as_dict(config),
        "parameters": sum(x.size for x in jax.tree.leaves(kept["params"])),
        "int8_bytes": int8_bytes(kept),
        "macs": macs.tolist(),
        **_judge(logits, table),
    }
    save_table(table_path, Table(logits_q, scale, data.labels, data.split, temperatures, macs, None, provenance))
    write_json(Path(table_path).with_suffix(".json"), provenance)
    return load_table(table_path)


def _finished(run: Path, data: Dataset) -> tuple[TrainConfig, Any]:
    config = build(TrainConfig, read_json(run / CONFIG_FILE), str(run / CONFIG_FILE))
    training = TrunkTraining(config, data)
    state, done = loop.load(training, run)
    if done < training.marks[-1]:
        raise UserError(f"{run} has {done} of {training.marks[-1]} epochs: let the training finish first")
    return config, training.policy(state)


def _judge(logits: np.ndarray, table: Table) -> dict[str, Any]:
    """Accuracy by split, and on the test images the effect of quantisation and of the temperatures."""
    splits = {"fit": FIT, "policy": POLICY, "test": TEST}
    right = logits.argmax(-1) == table.labels[:, None]
    test = table.rows(TEST)
    exact, stored_logits, labels = logits[test], table.logits(test), table.labels[test][:, None]
    confidence, _, _, _ = (np.asarray(x) for x in exit_features(exact / table.temperatures[:, None]))
    confidence_q, probability, _, prediction = (
        np.asarray(x) for x in exit_features(stored_logits / table.temperatures[:, None])
    )
    _, raw, _, _ = (np.asarray(x) for x in exit_features(stored_logits))
    correct = prediction == labels
    return {
        "accuracy": {name: right[table.split == split].mean(0).tolist() for name, split in splits.items()},
        "quantisation": {
            "test_accuracy": correct.mean(0).tolist(),
            "predictions_changed": (prediction != exact.argmax(-1)).mean(0).tolist(),
            "confidence_mean_difference": np.abs(confidence_q - confidence).mean(0).tolist(),
            "confidence_largest_difference": np.abs(confidence_q - confidence).max(0).tolist(),
        },
        "temperatures": table.temperatures.tolist(),
        "calibration_error": {
            "before": expected_calibration_error(raw, correct).tolist(),
            "after": expected_calibration_error(probability, correct).tolist(),
        },
    }
