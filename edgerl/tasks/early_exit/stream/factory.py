"""Making ExitStream-v0 from a table, a board, a source of frames and a battery."""

import dataclasses
from typing import Any

import numpy as np

from edgerl.tasks.early_exit import factory
from edgerl.tasks.early_exit.stream.arrivals import Source
from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.parts import Learning, StreamParams
from edgerl.tasks.early_exit.stream.power import Supply
from edgerl.tasks.early_exit.table.table import Table, load_table
from edgerl.tasks.hardware.profiles import Profile, load_profile
from edgerl.util.errors import UserError

# Watts while waiting awake and while asleep, and the time and energy of waking up. Assumptions for a camera whose
# sensor keeps a frame and wakes the processor: clocks stopped; deep sleep, from which it starts anew from flash.
IDLE_W, SLEEP_W, WAKE_S, WAKE_J = 0.02, 0.0005, 0.25, 0.02
PANEL_W, SKY_LOW = 0.15, 0.3  # a panel of about 10 cm² in full sun; days from overcast to clear
LOADS = {"light": Source(0.1, 1.0), "heavy": Source(0.25, 2.0)}  # by name
LOW, HIGH = (0.5, 0.13, 0.5), (3.0, 1.0, 2.0)  # factors of load, capacity and sun where they are drawn


def exit_stream_v0(
    split: str = "policy",
    profile: Profile | str = "esp32_c3",
    load: str = "light",
    capacity_j: float = 300.0,
    gaps_s: Any = None,
    harvest: Any = None,
    draw: bool = False,
    learning: Learning | None = None,
) -> ExitStream:
    """ExitStream-v0 on the shipped table; see `from_table`."""
    return from_table(load_table(), split, profile, load, capacity_j, gaps_s, harvest, draw, learning)


def from_table(
    table: Table,
    split: str = "policy",
    profile: Profile | str = "esp32_c3",
    load: str = "light",
    capacity_j: float = 300.0,
    gaps_s: Any = None,
    harvest: Any = None,
    draw: bool = False,
    learning: Learning | None = None,
) -> ExitStream:
    """The environment of a table's images of one split, on a board.

    Args:
      table: the shipped one (`load_table()`) or the user's own (`import_logits`).
      split: "policy" to learn on, "test" to judge on; "fit" are images that the network itself was trained on.
      profile: the board and with it the time and energy of every exit.
      load: one of `LOADS`: rates of the source's two states.
      capacity_j: of the battery, joules.
      gaps_s: [T] a recorded trace instead of the load, seconds from frame to frame.
      harvest: [slots] a trace of a day's power instead of day and night, in shares of the panel's; [1]: a constant.
      draw: load, capacity and sun are drawn for every episode, and observed.
      learning: how the reward is changed for learning; None: 1 for a right answer, and nothing else.
    Raises:
      UserError: an unknown split, profile or load, a split without images, a capacity or a trace that cannot be.
    """
    made = factory.from_table(table, split)
    board = load_profile(profile) if isinstance(profile, str) else profile
    if load not in LOADS:
        raise UserError(f"unknown load '{load}'; known: {', '.join(LOADS)}")
    if not np.isfinite(capacity_j) or capacity_j <= 0:
        raise UserError(f"capacity_j is {capacity_j}; expected joules above 0")
    stage_s, stage_j = (np.diff(x, prepend=0) * 1e-3 for x in (table.latency_on(board), table.energy_on(board)))
    source, supply = LOADS[load], Supply(panel_w=PANEL_W, sky_low=SKY_LOW, idle_w=IDLE_W, sleep_w=SLEEP_W)
    if gaps_s is not None:
        source = dataclasses.replace(source, gaps_s=_trace("gaps_s", gaps_s, "seconds above 0", least=1e-6))
    if harvest is not None:
        shares = _trace("harvest", harvest, "shares from 0 to 1", most=1.0)
        supply = dataclasses.replace(supply, harvest=shares)
    params = StreamParams(
        words=made.default_params.words,
        stage_s=stage_s.astype(np.float32),
        stage_j=stage_j.astype(np.float32),
        source=source,
        supply=dataclasses.replace(supply, capacity_j=float(capacity_j)),
        wake_s=WAKE_S,
        wake_j=WAKE_J,
        low=np.array(LOW, np.float32),
        high=np.array(HIGH, np.float32),
    )
    return ExitStream(table.exits, params, draw=draw, learning=learning)


def _trace(name: str, values: Any, expected: str, least: float = 0.0, most: float = np.inf) -> np.ndarray:
    """float32 [T]."""
    try:
        found = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        found = np.zeros((0, 0), np.float32)
    if found.ndim != 1 or not found.size or not ((found >= least) & (found <= most) & np.isfinite(found)).all():
        raise UserError(f"{name}: expected a list of {expected}, one number at least")
    return found
