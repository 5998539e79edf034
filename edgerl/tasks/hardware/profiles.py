"""Device profiles: what a board is, in YAML with the source of every figure. What is asked of it is a task's matter."""

import dataclasses
from pathlib import Path
from typing import Any

from edgerl.util.config import field, load, read_yaml
from edgerl.util.errors import UserError

FOLDER = Path(__file__).parent / "profiles"
# Keys of a profile until a board and what is asked of it were told apart.
_ASKED = ("max_latency_ms", "target_accuracy", "alpha", "beta", "gamma")


@dataclasses.dataclass(frozen=True)
class Profile:
    """A board: how fast it computes, what it takes, what it holds."""

    macs_per_second: float = field(1e9, "int8 multiply-accumulates a second, sustained", low=1.0)
    power_mw: float = field(100.0, "power while computing, in milliwatts", low=0.0)
    flash_bytes: int | None = field(None, "flash; none: not known", low=1)
    ram_bytes: int | None = field(None, "static RAM on the chip; none: not known", low=1)
    instruction_set: str = field("", "of its cores, as a compiler names it")
    toolchain: str = field("", "the compiler for it")
    source: str = field("", "where the figures come from, and which are assumptions")


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with the package, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_profile(name: str | Path) -> Profile:
    """A profile of the package by its name, or of the user's own by the path of a YAML file.

    Raises:
      UserError: no such profile, or its file has an unknown key, a wrong type or a value out of range, or asks
        something of the board.
    """
    if str(name) in profile_names():
        return load(Profile, FOLDER / f"{name}.yaml")
    if Path(name).suffix in (".yaml", ".yml"):
        _refuse_goals(name, read_yaml(name))
        return load(Profile, name)
    known = ", ".join(profile_names())
    raise UserError(f"unknown device profile '{name}': expected one of {known}, or the path of a .yaml file")


def _refuse_goals(name: str | Path, values: dict[str, Any]) -> None:
    asked = {key: value for key, value in values.items() if key in _ASKED}
    if asked:
        given = " ".join(f"--set {key}={value}" for key, value in asked.items())
        raise UserError(
            f"{name}: {', '.join(asked)} of a profile went to the configuration of early-exit, since a profile says "
            f"what a board is and not what is asked of it: take it out here and give it there, {given}"
        )
