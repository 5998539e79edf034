"""The trunk of width 64 in bfloat16, for as many epochs as the time allows; its weights come back in several files."""

import dataclasses
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import jax

import edgerl.tasks.early_exit.trunk.train as trunk
from edgerl.rl.learner import Metrics
from edgerl.rl.run import loop
from edgerl.tasks.early_exit.trunk.config import TrainConfig
from edgerl.tasks.early_exit.trunk.data import POLICY
from edgerl.tasks.early_exit.trunk.model import TrunkConfig
from edgerl.tasks.early_exit.trunk.weights import save_weights, stored
from gpu_day import images, parcels
from gpu_day.figures import Figures

EPOCHS, HEAD_EPOCHS = 100, 12  # if there is time
EVERY = 10  # epochs after which the weights are brought back in any case
RESERVE = 15  # seconds for the last evaluation and the files
WEIGHTS = "trunk_weights.npz"


def run(figures: Figures) -> None:
    """A row an epoch, and the weights in parts."""
    data = images.cifar100(figures.toy)
    wide = TrainConfig(
        TrunkConfig(width=2, head_width=1) if figures.toy else TrunkConfig(width=64),
        batch=32 * jax.device_count() if figures.toy else 128,
        bfloat16=True,
        evaluate_every=1 if figures.toy else EVERY,
    )
    epochs, head_epochs, pace = (1, 1, None) if figures.toy else _that_fit(figures, wide, data)
    config = dataclasses.replace(
        wide,
        epochs=epochs,
        head_epochs=head_epochs,
        small_epochs=epochs // 2,
        decay_epochs=max(1, round(0.55 * epochs)),
        warmup_epochs=0.5 if figures.toy else wide.warmup_epochs,
    )
    figures.add("settings", **dataclasses.asdict(config), seconds_an_epoch=pace, images=len(data.images))
    folder = Path(tempfile.mkdtemp())
    try:
        loop.train(Reported(config, data, figures), folder, progress=False)
    finally:
        shutil.rmtree(folder)


def _that_fit(figures: Figures, config: TrainConfig, data: Any) -> tuple[int, int, float]:
    """(epochs, epochs of the heads, seconds an epoch on full images), by two epochs of each kind, one compiling."""
    training = trunk.TrunkTraining(dataclasses.replace(config, epochs=3, small_epochs=1, head_epochs=1), data)
    state, took = training.placed(training.init()), []
    for done in (0, 0, 1, 1, 3, 3):  # small images, full ones, heads
        began = time.perf_counter()
        state, _ = training.update(state, done, 1)
        jax.block_until_ready(state)
        took.append(time.perf_counter() - began)
    small, full, heads = took[1::2]
    left = figures.left() - RESERVE - HEAD_EPOCHS * heads
    return max(2, min(EPOCHS, int(left / ((small + full) / 2)))), HEAD_EPOCHS, full


class Reported(trunk.TrunkTraining):
    """As the trunk is always trained; what an epoch showed goes to the figures, and weights to the folder."""

    def __init__(self, config: TrainConfig, data: Any, figures: Figures) -> None:
        super().__init__(config, data)
        self._figures, self._started = figures, time.perf_counter()

    def note(self, state: trunk.TrainState, done: int, metrics: Metrics) -> str:
        """Also tells the figures."""
        row = {name: float(values[0, 0]) for name, values in metrics.items()}
        if done % self.config.evaluate_every == 0 or done == self.marks[-1]:
            policy = self._data.part(POLICY)
            if len(policy[0]):
                row["policy_accuracy"] = trunk.accuracies(self.config, state, *policy).tolist()
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / WEIGHTS
                save_weights(path, self.config.trunk, stored(self.policy(state)))
                row["files"] = parcels.split(path, self._figures.folder)
        self._figures.add("epochs", epoch=done, seconds=time.perf_counter() - self._started, **row)
        return ""
