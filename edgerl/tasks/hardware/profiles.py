"""Device profiles: what a device can do and what is asked of it, in YAML with the source of every figure."""

import dataclasses
from pathlib import Path

from edgerl.util.config import field, load
from edgerl.util.errors import UserError

FOLDER = Path(__file__).parent / "profiles"


@dataclasses.dataclass(frozen=True)
class Profile:
    """A device and its task.

    The reward is alpha * correct - beta * latency - gamma * compute, the last two as shares of their budgets.
    """

    macs_per_second: float = field(1e9, "int8 multiply-accumulates a second, sustained", low=1.0)
    power_mw: float = field(100.0, "power while computing, in milliwatts", low=0.0)
    max_latency_ms: float = field(15.0, "latency budget of one decision, in milliseconds", low=1e-3)
    target_accuracy: float = field(0.65, "accuracy that the task asks for", low=0.0, high=1.0)
    alpha: float = field(1.0, "weight of a correct answer", low=0.0)
    beta: float = field(0.5, "weight of latency over its budget", low=0.0)
    gamma: float = field(0.3, "weight of compute over its budget", low=0.0)
    source: str = field("", "where the figures come from, and which are assumptions")

    @property
    def max_macs(self) -> float:
        """Compute budget: the multiply-accumulates that fit into the latency budget."""
        return self.macs_per_second * self.max_latency_ms * 1e-3


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with the package, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_profile(name: str | Path) -> Profile:
    """A profile of the package by its name, or of the user's own by the path of a YAML file.

    Raises:
      UserError: no such profile, or its file has an unknown key, a wrong type or a value out of range.
    """
    if str(name) in profile_names():
        return load(Profile, FOLDER / f"{name}.yaml")
    if Path(name).suffix in (".yaml", ".yml"):
        return load(Profile, name)
    known = ", ".join(profile_names())
    raise UserError(f"unknown device profile '{name}': expected one of {known}, or the path of a .yaml file")
