"""What an export's page plays: test images, of which it has the exits' logits and no pixel."""

import base64
import binascii
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy.extras import Firmware
from edgerl.deploy.plays import Play
from edgerl.tasks.early_exit.env import EarlyExit
from edgerl.tasks.early_exit.table.table import Table
from edgerl.tasks.early_exit.trunk.data import TEST
from edgerl.util.errors import UserError

NAME = "images"  # of the extra, in the report
_MOST, _BYTES = 48, 20_000  # images, and their logits in int8: the page stays small
_COSTS = ("macs", "latency_ms", "energy_mj")


def said_of(table: Table, env: EarlyExit, board: str) -> dict[str, Any]:
    """Test images, evenly spaced, and the exits' costs, as values that JSON holds.

    Args:
      table: of logits.
      env: the environment on the test images.
      board: whose costs these are.
    """
    rows = table.rows(TEST)
    count = max(1, min(_MOST, _BYTES // (table.exits * table.classes), len(rows)))
    rows = rows[:: len(rows) // count][:count]
    costs = {name: np.asarray(getattr(env.default_params, name), np.float32).tolist() for name in _COSTS}
    return {
        "board": board,
        "classes": table.classes,
        "logits": _text(table.logits_q[rows], "<i1"),
        "scale": _text(table.scale[rows], "<f4"),
        "labels": [int(label) for label in table.labels[rows]],
        "temperatures": np.asarray(table.temperatures, np.float32).tolist(),
        **costs,
    }


def write(source: Path, out: Path, said: Mapping[str, Any], firmware: Firmware) -> Play:
    """The extra's generator; see `edgerl.deploy.extras`. It writes no file of its own.

    Raises:
      UserError: `said` is not of `said_of`.
    """
    del source, out
    _check(said)
    return Play("edgerl.tasks.early_exit:demo.mjs", said, (f"{firmware.words['p']}_exits.c",))


def _text(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def _check(said: Mapping[str, Any]) -> None:
    """Whether numbers and their shapes fit each other: a page that reads past them would show nonsense."""
    lists = {name: said.get(name) for name in ("labels", "temperatures", *_COSTS)}
    sane = all(isinstance(values, list) and all(map(_is_number, values)) for values in lists.values())
    sane = sane and isinstance(said.get("board"), str) and type(said.get("classes")) is int
    if not sane or {*said} != {"board", "classes", "logits", "scale", *lists}:
        raise UserError("report.json: extra.images is not as export wrote it: a value is missing or of another type")
    images, exits, classes = len(said["labels"]), len(said["temperatures"]), said["classes"]
    fit = images and exits >= 2 and all(len(said[name]) == exits for name in _COSTS)
    try:
        bytes_of_it = [len(base64.b64decode(said[name], validate=True)) for name in ("logits", "scale")]
    except (binascii.Error, TypeError, ValueError):
        bytes_of_it = []
    if not fit or bytes_of_it != [images * exits * classes, 4 * images * exits]:
        raise UserError("report.json: extra.images does not describe images: its lists and bytes do not fit each other")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
