"""Whether a network's exits fit a device's budget: where not even the first does, there is nothing to decide."""

import numpy as np

from edgerl.tasks.early_exit.goals import Goal, goal_for
from edgerl.tasks.early_exit.table.table import Table
from edgerl.tasks.hardware.profiles import profile_names

NOTHING = 0.999  # of the images at one exit: nothing is decided


def shares(table: Table, goal: Goal) -> np.ndarray:
    """What each exit takes of the budget of latency or of compute, whichever is more, float64 [K]."""
    latency = table.latency_on(goal.board) / goal.max_latency_ms
    return latency if table.macs is None else np.maximum(latency, table.macs / goal.max_macs)


def budget_note(table: Table, name: str, goal: Goal | None = None) -> str | None:
    """A line where even the first exit is over the budget of the profile `name`: by how much, and which profile fits.

    Args:
      goal: what is asked of its board, if not what goes with the name.
    Raises:
      UserError: there is no such profile.
    """
    goal = goal_for(name) if goal is None else goal
    share = shares(table, goal)[0]
    if share <= 1:
        return None
    latency = table.latency_on(goal.board)[0]
    taken = f"{latency:,.4g} ms of a budget of {goal.max_latency_ms:,.4g} ms"
    if table.macs is not None and not np.isclose(latency / goal.max_latency_ms, share):
        taken = f"{table.macs[0]:,.4g} multiply-accumulates of a budget of {goal.max_macs:,.4g}"
    return (
        f"profile {name}: exit 1 alone takes {taken} ({share:.0%}), so every exit is over the budget and a policy "
        f"learns little more than to stop at the first; {_others(table)}"
    )


def decision_note(exits: np.ndarray, profile: str) -> str | None:
    """A line where the best rule for a profile stops nearly all images at one exit; `exits`: at each, what share."""
    most = int(np.argmax(exits))
    if exits[most] < NOTHING:
        return None
    where = f"profile {profile}: the best rule stops {exits[most]:.1%} of the images at exit {most + 1}"
    return (
        f"{where}, so there is nothing to decide; other weights (alpha, beta, gamma) or another budget would change it"
    )


def _others(table: Table) -> str:
    """Which shipped profiles have room for the first exit."""
    taken = {name: shares(table, goal_for(name)) for name in profile_names()}
    room = {name: share for name, share in taken.items() if share[0] <= 1}
    if not room:
        nearest = min(taken, key=lambda name: float(taken[name][0]))
        most = f"the nearest, {nearest}, {taken[nearest][0]:.0%}"
        return f"no shipped profile has room for it ({most}): give a larger max_latency_ms"
    fits = [f"{name} ({int((share <= 1).sum())} of {len(share)} exits)" for name, share in sorted(room.items())]
    return f"there is room in: {', '.join(fits)}"
