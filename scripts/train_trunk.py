"""Trains an early-exit trunk; the same command goes on from the last checkpoint.

    python scripts/train_trunk.py --data data --out runs/trunk16 [--config FILE.yaml] [--set key=value ...]
"""

import argparse

import edgerl  # before JAX: one device a core
from edgerl.core import config as configs
from edgerl.systems.early_exit.data import TEST, load_cifar100
from edgerl.systems.early_exit.train_trunk import TrainConfig, accuracies, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the official binary files; default: tensorflow-datasets")
    parser.add_argument("--out", required=True, help="folder of checkpoints")
    parser.add_argument("--config", help="YAML file")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="override a key")
    arguments = parser.parse_args()
    try:
        config = configs.load(TrainConfig, arguments.config, arguments.set)
        data = load_cifar100(arguments.data)
        state, summary = train(config, data, arguments.out, report=lambda line: print(line, flush=True))
    except edgerl.UserError as error:
        raise SystemExit(f"error: {error}") from None
    print("policy accuracy", summary["policy_accuracy"])
    print("test accuracy", accuracies(config, state, *data.part(TEST)).tolist())


if __name__ == "__main__":
    main()
