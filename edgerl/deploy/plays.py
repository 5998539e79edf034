"""What an export's page plays: a task names the JavaScript of its environment here, so that `verify` finds it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Environment's id → "package:file".
_SCRIPTS: dict[str, str] = {}


@dataclass(frozen=True)
class Play:
    """What a page plays.

    Attributes:
      script: "package:file" of a JavaScript module, see `register`; None: the recorded observations.
      data: values that JSON holds, for the module.
      sources: C files of the export that it calls beside the policy's own.
    """

    script: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    sources: Sequence[str] = ()


def register(environment: str, script: str) -> None:
    """Names the module with which pages play an environment.

    Args:
      environment: id.
      script: "package:file" of a JavaScript module with the function `createPlay(data, policy)`. What it returns is
        described in `recorded.mjs`, the play of environments without a module. It may return null: then that one plays.
    """
    _SCRIPTS[environment] = script


def of(environment: Mapping[str, Any] | None) -> Play:
    """What is registered for an environment as the report has it; else, and for None, the recorded observations."""
    return Play(_SCRIPTS.get(environment["id"]) if environment else None)
