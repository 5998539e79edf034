"""What the task asks of a board: budgets and the reward's weights, by default those that go with its profile's name."""

import dataclasses
from pathlib import Path
from typing import Any

from edgerl.tasks.hardware.profiles import Profile, load_profile


@dataclasses.dataclass(frozen=True)
class Goal:
    """A board and what is asked of it.

    The reward is alpha * correct - beta * latency - gamma * compute, the last two as shares of their budgets.

    Attributes:
      max_latency_ms: latency budget of one decision.
      target_accuracy: the accuracy that an evaluation is held against; it has no part in the reward.
    """

    board: Profile
    max_latency_ms: float = 15.0
    target_accuracy: float = 0.65
    alpha: float = 1.0
    beta: float = 0.5
    gamma: float = 0.3

    @property
    def max_macs(self) -> float:
        """Compute budget: the multiply-accumulates that fit into the latency budget."""
        return self.board.macs_per_second * self.max_latency_ms * 1e-3

    @property
    def max_energy_mj(self) -> float:
        """Energy budget: what the board takes in the latency budget."""
        return self.board.power_mw * self.max_latency_ms * 1e-3


KEYS = tuple(f.name for f in dataclasses.fields(Goal) if f.name != "board")  # of the configuration as well

# max_latency_ms, target_accuracy, alpha, beta, gamma by the profile's name.
_ESP32 = (0.55, 0.7, 0.06, 0.048)  # assumptions, as are the budgets of these boards
_GOALS = {
    # The task: 15 ms, 50 M FLOPs (25 M multiply-accumulates), accuracy 0.65, weights 0.7, 1.0, 0.8. The last two are
    # 0.06 times that: as they were, no exit's gain on a real image was worth its cost, and every image stopped at the
    # first. The budget is matched to the trunk of width 16: its first two exits fit, the others do not.
    "low_power": (15.0, 0.65, 0.7, 0.06, 0.048),
    # The task: 30 ms, 150 M FLOPs (75 M multiply-accumulates), accuracy 0.75, weights 1, 0.5, 0.3. The last two are
    # half of that, so that the trunk of width 16 uses all its exits, which all fit. Of width 32, the first fits.
    "medium_power": (30.0, 0.75, 1.0, 0.25, 0.15),
    # The task: 50 ms, 500 M FLOPs (250 M multiply-accumulates), accuracy 0.85, weights 1.5, 0.2, 0.1. All exits of the
    # trunk of width 16 fit; of width 64, the first does.
    "high_power": (50.0, 0.85, 1.5, 0.2, 0.1),
    # The first two exits of width 16 fit.
    "esp32": (1500.0, *_ESP32),
    "esp32_c3": (1500.0, *_ESP32),
    "esp32_s3": (200.0, *_ESP32),
}


def goal_for(profile: Goal | Profile | str | Path, **changes: float | None) -> Goal:
    """What is asked of a board: by its profile's name, else as `Goal` says; `changes` other than None count before it.

    Raises:
      UserError: no such profile, or a file that is none.
    """
    if isinstance(profile, Goal):
        goal = profile
    elif isinstance(profile, Profile):
        goal = Goal(profile)
    else:
        usual = dict(zip(KEYS, _GOALS.get(str(profile), ()), strict=False))
        goal = Goal(load_profile(profile), **usual)
    given: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
    return dataclasses.replace(goal, **given)
