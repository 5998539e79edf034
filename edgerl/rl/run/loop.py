"""The loop in which everything is trained: updates in chunks, a log, checkpoints, a progress bar, exact resumption.

After each chunk the log, then the checkpoint, reach the disk. A training that was killed starts from the last
checkpoint and reaches the same bits as one that was not. Where `jax.distributed` has joined several processes, every
one makes the same calls, and the first one alone writes.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol

import numpy as np

from edgerl.rl.learner import Learner, Metrics, State
from edgerl.rl.run.logs import Log
from edgerl.rl.run.run_folder import CHECKPOINTS, LOG, TENSORBOARD
from edgerl.util import memory
from edgerl.util.checkpoint import Checkpoints, open_checkpoints
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError

if TYPE_CHECKING:
    from tqdm import tqdm

LONG = 3600.0  # seconds of training that are worth a word where there is no progress bar


class Training(Learner[State], Protocol[State]):
    """A learner, and what the loop must know of it. What has a body here need not be written again.

    Attributes:
      marks: counts of updates at which a chunk ends in any case, ascending; the last one ends the training.
      every: updates between checkpoints, at most.
      steps_per_update: how far an update moves the log's column `steps`.
      unit: what an update is called.
      label: which of several trainings it is; may be empty.
    """

    marks: tuple[int, ...]
    every: int
    steps_per_update: int
    unit: str = "update"
    label: str = ""

    def placed(self, saved: State) -> State:
        """The state on the devices, of one as a checkpoint holds it."""
        return saved

    def saved(self, state: State) -> State:
        """The state as a checkpoint holds it, on every process."""
        return state

    def note(self, state: State, done: int, metrics: Metrics) -> str:
        """A few words about the chunk that ended with update `done`, after its log and before its checkpoint.

        A training that is judged on the way is judged here. Only the first process asks.
        """
        ...

    def diverged(self, column: int, found: str) -> str:
        """The message for a loss that is not finite.

        Args:
          column: which of the trainings side by side.
          found: the loss, and where, as in "nan at update 3".
        """
        ...


def train(
    training: Training[State], folder: Path, progress: bool = True, report: Callable[[str], None] | None = None
) -> State:
    """Trains to the last mark, from the last checkpoint in the folder if there is one.

    Args:
      folder: for checkpoints/, log.csv and tensorboard/; is made where it does not exist.
      progress: whether to show a progress bar on standard error, if that is a terminal.
      report: is called with what is noted of each chunk once its checkpoint is written; by default the bar shows it.

    Returns:
      The last state, as a checkpoint holds it.

    Raises:
      UserError: a loss is not finite, a checkpoint is of something else, or the folder cannot be written.
      KeyboardInterrupt: with a message that says how far it is; it can be resumed.
    """
    saved = training.init()
    with contextlib.ExitStack() as stack:
        checkpoints, log, done = None, None, 0
        if processes.is_first():
            checkpoints = stack.enter_context(open_checkpoints(folder / CHECKPOINTS))
            done = checkpoints.latest() or 0
            if done:
                saved = checkpoints.restore(done, like=saved)
            log = stack.enter_context(Log(folder / LOG, folder / TENSORBOARD, done))
        done = int(processes.share(np.int32(done)))
        if done:
            saved = processes.share(saved)
        if done and report is not None:
            report(f"resumed after {training.unit} {done} of {training.marks[-1]}")
        return _Loop(training, checkpoints, log, progress and processes.is_first(), report).run(saved, done)


def load(learner: Learner[State], folder: Path) -> tuple[State, int]:
    """The state in the newest checkpoint of a training's folder, and after how many updates it was written.

    Raises:
      UserError: there is none, or it is of something else.
    """
    with open_checkpoints(folder / CHECKPOINTS) as checkpoints:
        done = checkpoints.latest()
        if done is None:
            raise UserError(f"{folder} has no checkpoint: train first")
        return checkpoints.restore(done, like=learner.init()), done


class _Loop(Generic[State]):
    """The chunks of a training whose files are open. Only the first process has files."""

    def __init__(
        self,
        training: Training[State],
        checkpoints: Checkpoints | None,
        log: Log | None,
        progress: bool,
        report: Callable[[str], None] | None,
    ) -> None:
        self._training, self._total = training, training.marks[-1]
        self._checkpoints, self._log = checkpoints, log
        self._progress, self._report = progress, report

    def run(self, saved: State, done: int) -> State:
        """The last state, from the one after `done` updates."""
        from tqdm import tqdm

        training = self._training
        label, shown, chunks = training.label, None if self._progress else True, 0  # `None`: only on a terminal
        state = training.placed(saved)
        saved = training.saved(state)
        with tqdm(total=self._total, initial=done, desc=label or None, unit=training.unit, disable=shown) as bar:
            try:
                while done < self._total:
                    began, mark = time.perf_counter(), next(mark for mark in training.marks if mark > done)
                    count = min(training.every, mark - done)
                    state, metrics = training.update(state, done, count)
                    self._require_finite(metrics["loss"], done)
                    saved = training.saved(state)
                    words = self._write(state, saved, done, metrics)
                    done, chunks = done + count, chunks + 1
                    self._tell(bar, words, count)
                    if chunks == 2 and self._progress and bar.disable:  # the first one compiles
                        self._tell_pace((time.perf_counter() - began) / count, self._total - done)
            except KeyboardInterrupt:
                where = f"{label}: {training.unit}" if label else training.unit
                raise KeyboardInterrupt(
                    f"{where} {done} of {self._total} is saved, and the same command goes on from there"
                ) from None
        return saved

    def _write(self, state: State, saved: State, done: int, metrics: Metrics) -> str:
        """Log, judgement and checkpoint of a chunk after `done` updates, in this order; what is noted of it."""
        if self._log is None or self._checkpoints is None:
            return ""
        self._log.append(done + 1, self._training.steps_per_update, metrics)
        done += len(metrics["loss"])
        words = self._training.note(state, done, metrics)
        self._checkpoints.save(done, saved)
        return words

    def _tell(self, bar: "tqdm", words: str, count: int) -> None:
        if self._report is None:
            bar.set_postfix_str(words, refresh=False)
        else:
            bar.clear()
            self._report(words)
        bar.update(count)

    def _tell_pace(self, seconds: float, left: int) -> None:
        """Where no bar shows it: that a training takes long, by the seconds of an update."""
        if seconds * left > LONG:
            line = f"{left} {self._training.unit}s to go, about {memory.duration(seconds * left)} at this pace"
            print(f"edgerl: {line}; it can be interrupted and resumed", file=sys.stderr, flush=True)

    def _require_finite(self, loss: np.ndarray, done: int) -> None:
        bad = np.argwhere(~np.isfinite(loss))
        if len(bad):
            update, column = bad[0]
            found = f"{loss[update, column]} at {self._training.unit} {done + update + 1}"
            raise UserError(self._training.diverged(int(column), found))
