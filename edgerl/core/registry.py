"""Environments by their versioned ids."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from edgerl.core.errors import UserError

if TYPE_CHECKING:  # importing it would import JAX
    from edgerl.core.environment import Environment

# id -> "module:callable"; imported only when the environment is made.
_ENVIRONMENTS: dict[str, str] = {}


def register(id: str, entry_point: str) -> None:
    """Makes `make(id)` call `entry_point`, written "module:callable"."""
    _ENVIRONMENTS[id] = entry_point


def registered() -> tuple[str, ...]:
    """All known ids, sorted."""
    return tuple(sorted(_ENVIRONMENTS))


def make(id: str, /, **options: Any) -> Environment:
    """The environment with that id, for example `make("CartPole-v1")`; options go to its entry point.

    Raises:
      UserError: no environment has that id.
    """
    if id not in _ENVIRONMENTS:
        raise UserError(f"unknown environment '{id}'; known: {', '.join(registered())}")
    module, _, name = _ENVIRONMENTS[id].partition(":")
    return getattr(importlib.import_module(module), name)(**options)
