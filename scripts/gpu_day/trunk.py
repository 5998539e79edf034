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
TOY_EPOCHS = 2, 1
EVERY = 10  # epochs after which the weights are brought back in any case
RESERVE = 15  # seconds for the last evaluation and the files
WEIGHTS = "trunk_weights.npz"


def run(figures: Figures) -> None:
    """A row an epoch, and the weights in parts."""
    data = images.cifar100(figures.toy)
    config = _config(figures.toy, *(TOY_EPOCHS if figures.toy else (EPOCHS, HEAD_EPOCHS)))
    fit, pace = _that_fit(figures, config, data)
    if fit < config.epochs:  # which compiles once more
        config = _config(figures.toy, fit, config.head_epochs)
    figures.add("settings", **dataclasses.asdict(config), seconds_an_epoch=pace, images=len(data.images))
    folder = Path(tempfile.mkdtemp())
    try:
        loop.train(Reported(config, data, figures), folder, progress=False)
    finally:
        shutil.rmtree(folder)


def _config(toy: bool, epochs: int, head_epochs: int) -> TrainConfig:
    """As the shipped trunk was trained, stretched: half of the epochs on small crops, the second half decaying."""
    return TrainConfig(
        TrunkConfig(width=2, head_width=1) if toy else TrunkConfig(width=64),
        epochs=epochs,
        small_epochs=epochs // 2,
        batch=32 * jax.device_count() if toy else 128,
        decay_epochs=max(1, round(0.55 * epochs)),
        head_epochs=head_epochs,
        warmup_epochs=0.5 if toy else 1.0,
        bfloat16=True,
        evaluate_every=1 if toy else EVERY,
    )


def _that_fit(figures: Figures, config: TrainConfig, data: Any) -> tuple[int, dict[str, float]]:
    """Epochs for which there is time, and the seconds of each kind of epoch, by two of each, of which one compiles."""
    training = trunk.TrunkTraining(config, data)
    state, took = training.placed(training.init()), {}
    for kind, done in (("small", 0), ("full", config.small_epochs), ("heads", config.epochs)):
        for _ in range(2):
            began = time.perf_counter()
            state, _ = training.update(state, done, 1)
            jax.block_until_ready(state)
            took[kind] = time.perf_counter() - began
    left = figures.left() - RESERVE - config.head_epochs * took["heads"]
    fit = int(left / ((took["small"] + took["full"]) / 2))
    return max(2, min(config.epochs, fit)), took


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
