"""AgentViT's published configuration, for as many epochs as the time allows."""

import dataclasses
import shutil
import tempfile
import time
from pathlib import Path

import jax

from edgerl.rl.learner import Metrics
from edgerl.tasks.agent_vit import methods, training
from edgerl.tasks.agent_vit.agents.online import TrainState
from edgerl.tasks.agent_vit.members import Trial
from edgerl.tasks.agent_vit.methods import AgentViTConfig
from edgerl.tasks.agent_vit.model import ViTConfig
from edgerl.util import config as configuration
from gpu_day import images
from gpu_day.figures import Figures

PUBLISHED = Path(__file__).parents[2] / "examples" / "agent_vit_seed.yaml"
EPOCHS = 100  # the published number
RESERVE = 15  # seconds for the last judgement


def run(figures: Figures) -> None:
    """A row for each chunk of steps, and one for each judgement on images that were not trained on."""
    settings = configuration.load(AgentViTConfig, PUBLISHED)
    if figures.toy:
        settings = dataclasses.replace(settings, vit=ViTConfig(8, 8, 1, 2, 4, 16), batch_size=16, n_patch_desired=8)
    splits = images.cifar10(figures.toy)
    steps = len(splits.train.labels) // settings.batch_size
    member = methods.member(settings, splits, settings.agent, settings.seed)
    every = min(member.every, steps)
    pace = _seconds_a_step(dataclasses.replace(member, every=every), splits, every)
    epochs = 1 if figures.toy else max(1, min(EPOCHS, int((figures.left() - RESERVE) / (pace * steps))))
    marks = tuple(sorted({epochs * steps * share // 4 for share in (1, 2, 3, 4)} - {0}))
    figures.add("settings", **configuration.as_dict(settings), epochs=epochs, seconds_a_step=pace, steps_an_epoch=steps)
    member = dataclasses.replace(member, marks=marks, every=every)
    folder = Path(tempfile.mkdtemp())
    try:
        training.train(Reported(member, folder, splits, figures), progress=False)
    finally:
        shutil.rmtree(folder)


def _seconds_a_step(member: Trial, splits: images.Splits, every: int) -> float:
    """By two chunks of steps, of which the first one compiles."""
    learner = training.PatchTraining(member, Path(), splits)
    state, seconds = learner.placed(learner.init()), 0.0
    for done in (0, every):
        began = time.perf_counter()
        state, _ = learner.update(state, done, every)
        jax.block_until_ready(state)
        seconds = time.perf_counter() - began
    return seconds / every


class Reported(training.PatchTraining):
    """As a member is always trained; what a chunk showed goes to the figures."""

    def __init__(self, member: Trial, run: Path, splits: images.Splits, figures: Figures) -> None:
        super().__init__(member, run, splits)
        self._figures, self._started = figures, time.perf_counter()

    def note(self, state: TrainState, done: int, metrics: Metrics) -> str:
        """Also tells the figures."""
        words = super().note(state, done, metrics)
        means = {name: float(values.mean()) for name, values in metrics.items()}
        self._figures.add("steps", step=done, seconds=time.perf_counter() - self._started, **means)
        if done in self.marks:
            self._figures.add("judged", **training.read_curve(self.folder)[-1])
        return words
