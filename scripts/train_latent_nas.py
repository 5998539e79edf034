"""Makes the networks that latent-nas ships, from AnalogNAS's table: scripts/train_latent_nas.py --data FILE.csv"""

import argparse
import json

from edgerl.tasks.latent_nas.factory import SHIPPED, save_models
from edgerl.tasks.latent_nas.models.build import BuildConfig, build

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, metavar="FILE.csv", help="dataset_cifar10_v1.csv of IBM AnalogNAS")
    parser.add_argument("--out", default=str(SHIPPED), metavar="FILE.npz", help="default: the package's own")
    options = parser.parse_args()
    models = build(options.data, BuildConfig())
    save_models(options.out, models)
    print(json.dumps(models.provenance, indent=2))
