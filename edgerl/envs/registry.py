"""Environments by their versioned ids."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgerl.envs import places
from edgerl.util.errors import UserError

if TYPE_CHECKING:  # importing it would import JAX
    from edgerl.envs.environment import Environment

# id -> "module:callable", which is imported only when the environment is made, or what makes it.
_ENVIRONMENTS: dict[str, str | Callable[..., Environment]] = {}

_PLACE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def register(id: str, entry_point: str | Callable[..., Environment]) -> None:
    """Makes `make(id)` call `entry_point`.

    Args:
      id: versioned name, such as "Pole-v0". One that is known already gets another entry point.
      entry_point: "module:callable", imported when the environment is made, or the class or function itself.
    Raises:
      UserError: `id` is no name, or `entry_point` neither callable nor of the form "module:callable".

    Example:
      >>> edgerl.register("ShortPole-v1", lambda: edgerl.make("CartPole-v0"))
      >>> edgerl.make("ShortPole-v1").id
      'CartPole-v0'
    """
    if not isinstance(id, str) or not id.strip():
        raise UserError(f"register: id is {id!r}; expected a name such as 'Pole-v0'")
    if not (callable(entry_point) or (isinstance(entry_point, str) and _PLACE.fullmatch(entry_point))):
        raise UserError(
            f"register: the entry point of '{id}' is {entry_point!r}; expected 'module:callable', a class or a function"
        )
    _ENVIRONMENTS[id] = entry_point


def registered() -> tuple[str, ...]:
    """All known ids, sorted.

    Example:
      >>> "CartPole-v1" in edgerl.registered()
      True
    """
    return tuple(sorted(_ENVIRONMENTS))


def make(id: str, /, **options: Any) -> Environment:
    """The environment with that id, or at that place.

    Args:
      id: "CartPole-v1" or another of `registered()`; "module:callable" or "file.py:callable" of your own; or
        "gymnax:Acrobot-v1", an environment of gymnax.
      options: keyword arguments of the entry point.
    Raises:
      UserError: no environment has that id, its entry point cannot be imported or called, or what it returns is none.

    Example:
      >>> edgerl.make("CartPole-v1").action_space()
      Discrete(n=2)
      >>> edgerl.make("CartPole-v1", velocities=False).id
      'PositionOnlyCartPole-v1'
    """
    if not isinstance(id, str):
        raise UserError(f"make: the id is a {type(id).__name__}; expected a name, one of {', '.join(registered())}")
    if id not in _ENVIRONMENTS and places.is_place(id):
        return places.make_at(id, options)
    if id not in _ENVIRONMENTS:
        close = difflib.get_close_matches(id, _ENVIRONMENTS, 1)
        hint = f"did you mean '{close[0]}'? Known" if close else "known"
        raise UserError(f"unknown environment '{id}'; {hint}: {', '.join(registered())}, {places.FORMS}")
    entry_point = _ENVIRONMENTS[id]
    function = _imported(id, entry_point) if isinstance(entry_point, str) else entry_point
    try:
        return function(**options)
    except TypeError as error:
        if not options or not re.search("argument", str(error)):
            raise
        raise UserError(f"make: '{id}' does not take these options: {error}") from error


def _imported(id: str, entry_point: str) -> Callable[..., Environment]:
    module, _, name = entry_point.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise  # the module is there, and something that it imports is not
        raise UserError(f"make: the entry point of '{id}', {entry_point}: there is no module '{error.name}'") from error
    except AttributeError as error:
        raise UserError(f"make: the entry point of '{id}', {entry_point}: {error}") from error
    return found
