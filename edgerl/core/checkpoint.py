"""Checkpoints of a pytree of arrays, written atomically by Orbax; the last few are kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import jax
import orbax.checkpoint as ocp

from edgerl.core import interrupts
from edgerl.core.processes import is_key

Tree = TypeVar("Tree")


class Checkpoints:
    """The checkpoints in one folder, numbered by step. Use through `open_checkpoints`."""

    def __init__(self, manager: ocp.CheckpointManager) -> None:
        self._manager = manager

    def latest(self) -> int | None:
        """The newest complete checkpoint's step, or None."""
        return self._manager.latest_step()

    def save(self, step: int, tree: Any) -> None:
        """Writes `tree` and waits until it is complete on disk. Typed PRNG keys are stored as their words.

        Ctrl-C takes effect when that is done: Orbax would be left in the middle, and warn of it at exit.
        """
        with interrupts.held():
            self._manager.save(step, args=ocp.args.StandardSave(_words(tree)))
            self._manager.wait_until_finished()

    def restore(self, step: int, like: Tree) -> Tree:
        """The tree saved at `step`, with the structure, dtypes, sharding and key types of `like`."""
        plain = _words(like)
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, plain)
        saved = self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
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
    folder.mkdir(parents=True, exist_ok=True)
    with ocp.CheckpointManager(folder, options=options) as manager:
        yield Checkpoints(manager)


def _words(tree: Any) -> Any:
    return jax.tree.map(lambda x: jax.random.key_data(x) if is_key(x) else x, tree)
