"""Chooses latent-nas's settings on the training rows alone: scripts/tune_latent_nas.py --data FILE.csv --out FOLDER

Writes surrogate_cross_validation.csv (every pair of penalties), autoencoder_search.csv and .png (64 settings, trained
as one vmapped program). The held-out rows of `data.split` are not looked at.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

from edgerl.tasks.latent_nas import figures
from edgerl.tasks.latent_nas.factory import load_models
from edgerl.tasks.latent_nas.models import cross_validation, search
from edgerl.tasks.latent_nas.models.fit_model import FitConfig
from edgerl.tasks.latent_nas.models.fit_surrogate import SurrogateConfig
from edgerl.tasks.latent_nas.models.model import ModelConfig
from edgerl.tasks.latent_nas.table.data import read_csv, split


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as CSV, five significant digits."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(rows[0])
        table.writerows([f"{value:.5g}" for value in row.values()] for row in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="FILE.csv", help="dataset_cifar10_v1.csv of IBM AnalogNAS")
    parser.add_argument("--out", default="docs/latent_nas", metavar="FOLDER", help="default: docs/latent_nas")
    parser.add_argument("--only", choices=("surrogate", "autoencoder"), help="one of the two; default: both")
    parser.add_argument("--settings", type=int, default=64, metavar="N", help="of the autoencoder, default: 64")
    parser.add_argument("--steps", type=int, default=300, metavar="N", help="that each is trained, default: 300")
    options = parser.parse_args()
    table = read_csv(options.data)
    train, folder = table[split(len(table))[0]], Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    if options.only != "autoencoder":
        write(folder / "surrogate_cross_validation.csv", cross_validation.choose(train, SurrogateConfig()))
    if options.only != "surrogate":
        fit = FitConfig(steps=options.steps, batch=256)
        found = search.search(train, load_models().surrogate, options.settings, fit, ModelConfig(), seed=0)
        write(folder / "autoencoder_search.csv", found)
        figures.settings(folder / "autoencoder_search.png", found)
