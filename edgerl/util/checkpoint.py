"""Checkpoints of a pytree of arrays, written atomically by Orbax; the last few are kept."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp

from edgerl.util import interrupts
from edgerl.util.distributed.processes import is_key
from edgerl.util.errors import UserError
from edgerl.util.files import first_line

Tree = TypeVar("Tree")

_FAILURES = (OSError, ValueError, RuntimeError)  # ValueError: TensorStore's own
_OVERHEAD, _LEAF = 2**16, 2**13  # bytes on disk beside the numbers, of a checkpoint and of each of its arrays
_UNFINISHED = ".orbax-checkpoint-tmp"


class Checkpoints:
    """The checkpoints in one folder, numbered by step. Use through `open_checkpoints`."""

    def __init__(self, manager: ocp.CheckpointManager, folder: Path) -> None:
        self._manager = manager
        self._folder = folder

    def latest(self) -> int | None:
        """The newest complete checkpoint's step, or None."""
        return self._manager.latest_step()

    def save(self, step: int, tree: Any) -> None:
        """Writes `tree` and waits until it is complete on disk. Typed PRNG keys are stored as their words.

        Ctrl-C takes effect when that is done: Orbax would be left in the middle, and warn of it at exit.

        Raises:
          UserError: the disk is full or the folder cannot be written; older checkpoints stay, of this one nothing.
        """
        with interrupts.held():
            try:
                words = _words(tree)
                _require_room(self._folder, words)
                self._manager.save(step, args=ocp.args.StandardSave(words))
                self._manager.wait_until_finished()
            except _FAILURES as error:
                for part in self._folder.glob(f"{step}*{_UNFINISHED}*"):
                    shutil.rmtree(part, ignore_errors=True)
                raise UserError(f"cannot write a checkpoint in {self._folder}: {_reason(error)}") from error

    def restore(self, step: int, like: Tree) -> Tree:
        """The tree saved at `step`, with the structure, dtypes, sharding and key types of `like`.

        Raises:
          UserError: the checkpoint is damaged, or of something else.
        """
        plain = _words(like)
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, plain)
        try:
            saved = self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        except (*_FAILURES, KeyError, TypeError) as error:
            raise UserError(
                f"the checkpoint {self._folder / str(step)} is damaged or of another training: {_reason(error)}"
            ) from error
        return jax.tree.map(
            lambda old, new: jax.random.wrap_key_data(new, impl=jax.random.key_impl(old)) if is_key(old) else new,
            like,
            saved,
        )


@contextmanager
def open_checkpoints(folder: str | Path, keep: int = 2) -> Iterator[Checkpoints]:
    """Opens (and makes) a folder of checkpoints, keeping the newest `keep`. Other processes have no part in it."""
    me = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=me, active_processes={me})
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep,
        create=False,  # which Orbax has all processes do together
        enable_async_checkpointing=False,
        **({"multiprocessing_options": alone} if jax.process_count() > 1 else {}),
    )
    folder = Path(folder).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        manager = ocp.CheckpointManager(folder, options=options)
    except _FAILURES as error:
        raise UserError(f"cannot open the checkpoints in {folder}: {_reason(error)}") from error
    with manager:
        yield Checkpoints(manager, folder)


def _require_room(folder: Path, tree: Any) -> None:
    """Raises an `OSError` where a checkpoint of the tree finds no room: its threads would each print a traceback."""
    leaves = jax.tree.leaves(tree)
    size = _OVERHEAD + sum(2 * np.asarray(x).nbytes + _LEAF for x in leaves)  # written twice, the second time in order
    with tempfile.TemporaryFile(dir=folder) as probe:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(probe.fileno(), 0, size)


def _reason(error: Exception) -> str:
    """What the system said, which Orbax and TensorStore wrap in pages of their own."""
    number = re.search(r"os_error_code='(\d+)'", str(error))
    if number:
        return os.strerror(int(number[1]))
    return getattr(error, "strerror", None) or first_line(error)


def _words(tree: Any) -> Any:
    return jax.tree.map(lambda x: jax.random.key_data(x) if is_key(x) else x, tree)
