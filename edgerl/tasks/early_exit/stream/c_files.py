"""`NAME_stream.h` and `.c` as an export's extra files: a queue and `NAME_next`, for firmware's main loop."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.deploy import c_text, names
from edgerl.deploy.extras import Extra, Firmware
from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.parts import NAMES
from edgerl.util import files
from edgerl.util.errors import UserError

NAME = "stream"
_NUMBERS = ("deadline_s", "pause_s", "wake_s", "wake_j", "capacity_j", "memory_s", "rate_busy")
_PACKAGE = "edgerl.tasks.early_exit.stream"
_MOST = 1000  # exits, and places of a queue


def extra_of(env: ExitStream) -> Extra:
    """What an export is told of the stream."""
    p = env.default_params
    numbers = {
        **{name: getattr(p, name) for name in ("deadline_s", "pause_s", "wake_s", "wake_j")},
        "capacity_j": p.supply.capacity_j,
        "memory_s": p.source.memory_s,
        "rate_busy": p.source.rate_busy,
    }
    said: dict[str, Any] = {name: float(np.float32(x)) for name, x in numbers.items()}
    stages = {name: np.asarray(getattr(p, name), np.float32).tolist() for name in ("stage_s", "stage_j")}
    return Extra({**said, **stages, "places": env.places})


def write(source: Path, out: Path, said: Mapping[str, Any], firmware: Firmware) -> None:
    """The extra's generator; see `edgerl.deploy.extras`.

    Raises:
      UserError: `said` is not of `extra_of`, or the policy is not that of a stream without drawn conditions.
    """
    del source
    _check(said)
    sizes, words = firmware.policy.sizes, firmware.words
    if (sizes[0], sizes[-1]) != (len(NAMES), 4):
        raise UserError(f"the policy of {sizes} neurons is not that of a stream, which has {len(NAMES)} features")
    p, exits = words["p"], len(said["stage_s"])
    stages = [
        c_text.array(f"float {name}[{exits}]", [_float(x) for x in said[name]]) for name in ("stage_s", "stage_j")
    ]
    common = {
        **words,
        **{name: _float(said[name]) for name in _NUMBERS},
        "version": __version__,
        "exits": exits,
        "places": said["places"],
        "features": len(NAMES),
        "stages": "\n\n".join(stages),
    }
    text = c_text.template("stream.c.in", common, _PACKAGE)
    stamp = names.words(p, names.stamp_of(text, words["model"]))["stamp"]
    header = c_text.template("stream.h.in", {**common, "stamp": stamp}, _PACKAGE)
    files.write_bytes(out / f"{p}_stream.c", text.encode())
    files.write_bytes(out / f"{p}_stream.h", header.encode())


def _check(said: Mapping[str, Any]) -> None:
    places, stages = said.get("places"), [said.get(name) for name in ("stage_s", "stage_j")]
    sane = {*said} == {*_NUMBERS, "stage_s", "stage_j", "places"} and type(places) is int and 1 <= places <= _MOST
    sane = sane and all(_is_number(said.get(name)) for name in _NUMBERS)
    sane = sane and all(isinstance(x, list) and 1 <= len(x) <= _MOST and all(map(_is_number, x)) for x in stages)
    if not sane or len({len(x) for x in stages if isinstance(x, list)}) != 1:
        raise UserError("report.json: extra.stream is not as export wrote it: a number is missing, or of another type")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(np.float32(value))


def _float(value: float) -> str:
    """A C literal that reads back as the same float32."""
    return np.format_float_scientific(np.float32(value), trim="0") + "f"
