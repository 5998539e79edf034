"""Files that a task adds to an export: made by a generator that is known by name, so that `verify` can make them again.

A generator is `generate(source, out, said, firmware)`: it writes its files into the folder `out`, from the plain values
`said`, which the report keeps, from files in the folder `source`, each of which it writes to `out` too, and from the
deployed policy. It returns what the packages' examples do from then on, what the page plays, or None. The same
arguments give the same bytes. What is wrong with `said` or a file is a `UserError`.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgerl.deploy.plays import Play
from edgerl.deploy.targets.example import Example
from edgerl.util.errors import UserError

if TYPE_CHECKING:  # `edgerl` imports this file, and must not bring JAX
    from edgerl.deploy.int8_policy import Int8Policy


@dataclass(frozen=True)
class Firmware:
    """What a generator's files belong to.

    Attributes:
      policy: as the device decides.
      words: the export's name and the model's stamp; see `edgerl.deploy.names`.
    """

    policy: "Int8Policy"
    words: Mapping[str, str]


Generator = Callable[[Path, Path, Mapping[str, Any], Firmware], Example | Play | None]
# name -> "module:function"; imported only when it is called.
_GENERATORS: dict[str, str] = {}


@dataclass(frozen=True)
class Extra:
    """What a generator is called with.

    Attributes:
      said: values that JSON holds.
      source: folder of the files that the generator reads, if it reads any.
    """

    said: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None


def register(name: str, entry_point: str) -> None:
    """Makes `name` a generator's, written "module:function"."""
    _GENERATORS[name] = entry_point


def generate(name: str, source: Path, out: Path, said: Mapping[str, Any], firmware: Firmware) -> Example | Play | None:
    """Calls a generator by its name.

    Raises:
      UserError: there is none of that name, or what it is given is wrong.
    """
    if name not in _GENERATORS:
        raise UserError(f"no generator is called '{name}'; known: {', '.join(sorted(_GENERATORS)) or 'none'}")
    module, _, function = _GENERATORS[name].partition(":")
    made: Example | Play | None = getattr(importlib.import_module(module), function)(source, out, said, firmware)
    return made
