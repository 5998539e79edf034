"""Trains an early-exit trunk and computes its table; the same command goes on from the last checkpoint.

python scripts/train_trunk.py --data data --out runs/trunk16 [--config FILE.yaml] [--set key=value ...]
                              [--artifacts edgerl/systems/early_exit/artifacts] [--remarks TEXT]
"""

import argparse
import json
import sys
from pathlib import Path

import edgerl  # before JAX: one device a core
from edgerl.core import config as configs
from edgerl.systems.early_exit.build_table import build_table
from edgerl.systems.early_exit.data import load_cifar100
from edgerl.systems.early_exit.train_trunk import TrainConfig, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the official binary files; default: tensorflow-datasets")
    parser.add_argument("--out", required=True, help="folder of checkpoints")
    parser.add_argument("--config", help="YAML file")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="override a key")
    parser.add_argument("--artifacts", type=Path, help="folder for the table and the weights; default: as --out")
    parser.add_argument("--remarks", default="", help="what a reader of the table's provenance must know besides")
    arguments = parser.parse_args()
    try:
        config = configs.load(TrainConfig, arguments.config, arguments.set)
        data = load_cifar100(arguments.data)
        train(config, data, arguments.out, report=lambda line: print(line, file=sys.stderr, flush=True))
        name = (arguments.artifacts or Path(arguments.out)) / f"cifar100_w{config.trunk.width}"
        files = f"{name}_table.npz", f"{name}_weights.npz"
        table = build_table(arguments.out, data, *files, " ".join(["python", *sys.argv]), arguments.remarks)
    except edgerl.UserError as error:
        raise SystemExit(f"error: {error}") from None
    print(json.dumps(table.provenance, indent=2))


if __name__ == "__main__":
    main()
