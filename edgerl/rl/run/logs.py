"""Metrics of a run on disk: CSV, a row for each update and seed, and TensorBoard, averaged over the seeds."""

import contextlib
import csv
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

import numpy as np

from edgerl.util import files
from edgerl.util.errors import UserError


class Log:
    """Appends to a run's logs. Use as a context manager.

    A row reaches the disk before the checkpoint of its update. On resumption, rows after the checkpoint are dropped:
    they will come again, the same. So there is one row for each update and seed, however often a run was killed.

    Args:
      table: the CSV file; made with its header if it is not there.
      tensorboard: the folder of event files.
      done: how many updates the checkpoint holds.
    """

    def __init__(self, table: Path, tensorboard: Path, done: int) -> None:
        self._table = table
        if table.exists():
            files.write_bytes(table, _rows_until(table, done))
        self._events = Events(tensorboard, done + 1)

    def __enter__(self) -> "Log":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()

    def append(self, first_update: int, steps_per_update: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Adds updates `first_update`, `first_update` + 1, …; each metric is [updates, seeds]."""
        names = list(metrics)
        updates, seeds = metrics[names[0]].shape
        lines = []
        for i in range(updates):
            update = first_update + i
            for seed in range(seeds):
                values = (str(metrics[name][i, seed]) for name in names)
                lines.append(",".join([str(update), str(update * steps_per_update), str(seed), *values]))
            for name in names:
                self._scalars(name, metrics[name][i], update)
        header = ",".join(["update", "steps", "seed", *names])
        self._write(header, lines)
        self._events.flush()

    def _write(self, header: str, lines: list[str]) -> None:
        try:
            with self._table.open("a") as file:
                if file.tell() == 0:
                    file.write(header + "\n")
                file.write("".join(line + "\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self._table}: {error.strerror}") from error

    def _scalars(self, name: str, values: np.ndarray, update: int) -> None:
        values = values[np.isfinite(values)]
        if values.size:
            self._events.add(f"mean/{name}", float(values.mean()), update)
        if values.size and name == "episode_return":
            self._events.add(f"worst_seed/{name}", float(values.min()), update)
            self._events.add(f"best_seed/{name}", float(values.max()), update)


class Events:
    """A file of TensorBoard's events, written at once and in this thread: tensorboardX's own writer has another thread
    write, which nobody hears of when the disk is full.

    Args:
      folder: of the run's event files; this one is a new file there.
      first: the step that it starts with; what older files say of later steps is hidden.
    """

    def __init__(self, folder: Path, first: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.summary import scalar

        self._folder, self._event, self._scalar = folder.absolute(), Event, scalar
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(self._folder / "events"))
            self._writer.write_event(Event(step=first, session_log=SessionLog(status=SessionLog.START)))

    def add(self, name: str, value: float, step: int) -> None:
        """Adds a number."""
        with self._writing():
            event = self._event(step=step, wall_time=time.time(), summary=self._scalar(name, value))
            self._writer.write_event(event)

    def flush(self) -> None:
        """Waits until all is on the disk."""
        with self._writing():
            self._writer.flush()

    def close(self) -> None:
        """As `flush`, and ends the file."""
        with self._writing():
            self._writer.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"cannot write {self._folder}: {error.strerror or error}") from error


def read_log(table: Path) -> dict[str, np.ndarray]:
    """Column → its values float64, row by row, of a CSV file that `Log` has written.

    Raises:
      UserError: it is missing or damaged.
    """
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    except (OSError, KeyError, ValueError, IndexError, TypeError, csv.Error) as error:
        raise UserError(f"{table} is missing or damaged ({files.first_line(error)})") from error


def _rows_until(table: Path, update: int) -> bytes:
    """The header and the complete rows up to an update: the last row may have been cut in its number."""
    header, *rows = table.read_bytes().splitlines(keepends=True) or [b""]
    try:
        return header + b"".join(row for row in rows if row.endswith(b"\n") and int(row.split(b",", 1)[0]) <= update)
    except ValueError as error:
        raise UserError(f"{table} is damaged: a row does not begin with the number of an update") from error
