"""Processes that were forked after JAX had run: its threads are not there, and it would wait for them for ever."""

import os

from jax._src import xla_bridge

from edgerl.util.errors import UserError

_forked = False


def _note_fork() -> None:
    global _forked
    _forked = xla_bridge.backends_are_initialized()  # what the parent had: JAX has no public name for it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def refuse_fork(where: str) -> None:
    """One line instead of a hang.

    Raises:
      UserError: this process was forked after JAX had run.
    """
    if _forked:
        raise UserError(
            f"{where}: this process was forked after JAX had run, where JAX hangs; "
            'start it with context="spawn" or "forkserver", for example AsyncVectorEnv(..., context="spawn")'
        )
