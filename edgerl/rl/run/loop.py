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
from typing import Protocol

import numpy as np

from edgerl.rl.learner import Learner, Metrics, State
from edgerl.rl.run.logs import Log
from edgerl.rl.run.run_folder import CHECKPOINTS, LOG, TENSORBOARD
from edgerl.util import memory
from edgerl.util.checkpoint import Checkpoints, open_checkpoints
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError

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
        return _chunks(training, saved, done, checkpoints, log, progress and processes.is_first(), report)


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


def _chunks(
    training: Training[State],
    saved: State,
    done: int,
    checkpoints: Checkpoints | None,
    log: Log | None,
    progress: bool,
    report: Callable[[str], None] | None,
) -> State:
    """The last state, from the one after `done` updates. Only the first process has the files."""
    from tqdm import tqdm

    total, unit, label, chunks = training.marks[-1], training.unit, training.label, 0
    state = training.placed(saved)
    saved = training.saved(state)
    # `None` shows the bar only on a terminal.
    with tqdm(total=total, initial=done, desc=label or None, unit=unit, disable=None if progress else True) as bar:
        try:
            while done < total:
                began = time.perf_counter()
                count = min(training.every, next(mark for mark in training.marks if mark > done) - done)
                state, metrics = training.update(state, done, count)
                _require_finite(training, metrics["loss"], done)
                saved, words = training.saved(state), ""
                if log is not None and checkpoints is not None:
                    log.append(done + 1, training.steps_per_update, metrics)
                    words = training.note(state, done + count, metrics)
                    checkpoints.save(done + count, saved)
                done, chunks = done + count, chunks + 1
                if report is None:
                    bar.set_postfix_str(words, refresh=False)
                else:
                    bar.clear()
                    report(words)
                bar.update(count)
                if chunks == 2 and progress and bar.disable:  # the first one compiles
                    _tell_pace((time.perf_counter() - began) / count * (total - done), f"{total - done} {unit}s")
        except KeyboardInterrupt:
            where = f"{label}: {unit}" if label else unit
            raise KeyboardInterrupt(
                f"{where} {done} of {total} is saved, and the same command goes on from there"
            ) from None
    return saved


def _tell_pace(seconds: float, left: str) -> None:
    """Where no bar shows it: that a training takes long."""
    if seconds > LONG:
        line = f"{left} to go, about {memory.duration(seconds)} at this pace; it can be interrupted and resumed"
        print(f"edgerl: {line}", file=sys.stderr, flush=True)


def _require_finite(training: Training[State], loss: np.ndarray, done: int) -> None:
    bad = np.argwhere(~np.isfinite(loss))
    if len(bad):
        update, column = bad[0]
        found = f"{loss[update, column]} at {training.unit} {done + update + 1}"
        raise UserError(training.diverged(int(column), found))
