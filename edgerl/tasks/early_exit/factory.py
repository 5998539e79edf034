"""Making EarlyExit-v0 from a table and a device."""

import numpy as np

from edgerl.tasks.early_exit.env import EXTRAS, EarlyExit, EarlyExitParams, Extra
from edgerl.tasks.early_exit.goals import Goal, goal_for
from edgerl.tasks.early_exit.table.features import features
from edgerl.tasks.early_exit.table.packing import pack
from edgerl.tasks.early_exit.table.table import SHIPPED, Table, load_table
from edgerl.tasks.early_exit.trunk import data
from edgerl.tasks.hardware.profiles import Profile
from edgerl.util.errors import UserError

SPLITS = {"fit": data.FIT, "policy": data.POLICY, "test": data.TEST}


def early_exit_v0(
    split: str = "policy",
    profile: Goal | Profile | str = "medium_power",
    extras: tuple[Extra, ...] = (),
    draw_budget: bool = False,
    draw_preference: bool = False,
) -> EarlyExit:
    """EarlyExit-v0 on the shipped table; see `from_table`.

    Raises:
      UserError: the package has no table.
    """
    if not SHIPPED.is_file():
        raise UserError(
            f"{SHIPPED} does not exist: build it with `edgerl logits build`, or bring your own logits with "
            "`edgerl logits import FILE.npz --out TABLE`"
        )
    return from_table(load_table(), split, profile, extras, draw_budget, draw_preference)


def from_table(
    table: Table,
    split: str = "policy",
    profile: Goal | Profile | str = "medium_power",
    extras: tuple[Extra, ...] = (),
    draw_budget: bool = False,
    draw_preference: bool = False,
) -> EarlyExit:
    """The environment of a table's images of one split, on a device.

    Args:
      table: the shipped one (`load_table()`) or the user's own (`import_logits`).
      split: "policy" to learn on, "test" to judge on; "fit" are images that the network itself was trained on.
      profile: the board and with it the cost of every exit; its name brings the budgets and weights that go with it,
        a `Goal` its own.
      extras: more of the exit's answer in the observation: "margin", "agreement", "probability".
      draw_budget: a budget drawn for every episode, see `EarlyExit`; the range is two parameters.
      draw_preference: weights drawn for every episode, likewise.
    Raises:
      UserError: an unknown split, extra or profile, or a split without images.
    """
    _known("split", (split,), tuple(SPLITS))
    _known("extra", extras, EXTRAS)
    rows = table.rows(SPLITS[split])
    if not rows.size:
        raise UserError(f"the table has no images of the split '{split}'")
    params = make_params(table, goal_for(profile), pack(features(table, rows)))
    return EarlyExit(table.exits, params, tuple(extras), draw_budget, draw_preference)


def make_params(table: Table, goal: Goal, words: np.ndarray) -> EarlyExitParams:
    """Parameters of packed images on a device. Without multiply-accumulates in the table, its latency tells compute."""
    latency = table.latency_on(goal.board)
    macs = latency * goal.board.macs_per_second * 1e-3 if table.macs is None else table.macs
    return EarlyExitParams(
        words=words,
        macs=macs.astype(np.float32),
        latency_ms=latency.astype(np.float32),
        energy_mj=table.energy_on(goal.board).astype(np.float32),
        max_macs=goal.max_macs,
        max_latency_ms=goal.max_latency_ms,
        max_energy_mj=goal.max_energy_mj,
        alpha=goal.alpha,
        beta=goal.beta,
        gamma=goal.gamma,
    )


def _known(what: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise UserError(f"unknown {what} '{name}'; known: {', '.join(known)}")
