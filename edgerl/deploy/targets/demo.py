"""The page of an export: one HTML file in which the exported C itself, as WebAssembly, plays its environment.

The page is a template around a program. The program's bytes depend on the compiler that happens to be here; all others
follow from the export. So `verify` takes the program out of the page, makes the page around it anew to compare it, and
runs the program on its own.
"""

import base64
import binascii
import html
import re
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from edgerl import __version__
from edgerl.deploy.int8_policy import Deployed
from edgerl.deploy.machines import wasm
from edgerl.deploy.plays import Play
from edgerl.deploy.toolchain import ToolError
from edgerl.util.errors import UserError
from edgerl.util.json_text import to_json

_RECORDED_BYTES = 4096  # of observations in the page, at most; but one at least
_PROGRAM = re.compile(rb'<script type="application/wasm" id="program">([A-Za-z0-9+/=]+)</script>')


def build(folder: Path, name: str, play: Play) -> bytes:
    """The program of a page, from the C files in an export's folder.

    Raises:
      UserError: no compiler is here, or it cannot do it; a line that says what to install.
    """
    if lacking := wasm.missing():
        raise UserError(lacking)
    with tempfile.TemporaryDirectory() as temporary:
        try:
            return wasm.build(folder, name, Path(temporary), play.sources, "-Os").read_bytes()
        except ToolError as error:
            raise UserError(str(error)) from error


def program_of(page: Path) -> bytes:
    """The program in a page; empty if there is no page, or no program can be read from it."""
    found = _PROGRAM.search(page.read_bytes()) if page.is_file() else None
    try:
        return base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        return b""


def generate(
    name: str,
    environment: Mapping[str, Any] | None,
    deployed: Deployed,
    observations: np.ndarray,
    play: Play,
    program: bytes,
) -> str:
    """The page's text.

    Args:
      name: of the export.
      environment: {id, params, observations, actions} as the report has it, or None.
      deployed: quantiser and int8 network.
      observations: float32 [N, features]; some of them stay in the page.
      play: what is played.
      program: WebAssembly.
    """
    title = environment["id"] if environment else name
    data = {
        "edgerl": __version__,
        "name": name,
        "title": title,
        "params": dict(environment["params"]) if environment else {},
        "observations": _names(environment, "observations", deployed.sizes[0], "feature"),
        "actions": _names(environment, "actions", deployed.sizes[-1], "action"),
        "sizes": list(deployed.sizes),
        "scoreBytes": 1 if deployed.argmax == "outputs" else 4,
        "continuous": deployed.space is not None,
        "units": deployed.units,
        "low": [float(value) for value in deployed.quantiser.low],
        "high": [float(value) for value in deployed.quantiser.high],
        "recorded": _recorded(observations[:, : deployed.sizes[0]]),
        "play": dict(play.data),
    }
    own = _read(play.script) if play.script else "const createPlay = () => null;\n"
    first, last = [_template(f"{part}.mjs") for part in ("policy", "panel", "recorded")], _template("page.mjs")
    values = {
        "title": html.escape(title),
        "style": _template("page.css"),
        "program": base64.b64encode(program).decode(),
        "data": to_json(data).replace("<", "\\u003c"),
        "script": "\n".join([*first, own, last]),
    }
    return Template(_template("page.html")).substitute(values)


def _names(environment: Mapping[str, Any] | None, key: str, count: int, word: str) -> list[str]:
    """What the export calls its numbers; without names, they are counted."""
    given = list((environment or {}).get(key, ()))
    return given if len(given) == count else [f"{word} {i}" for i in range(count)]


def _recorded(observations: np.ndarray) -> str:
    """Evenly spaced rows, little-endian float32 in base64."""
    count = max(1, _RECORDED_BYTES // observations[0].nbytes)
    rows = observations[:: -(-len(observations) // count)]
    return base64.b64encode(np.ascontiguousarray(rows, "<f4").tobytes()).decode()


def _template(name: str) -> str:
    return _read(f"edgerl.deploy:templates/demo/{name}")


def _read(place: str) -> str:
    package, _, file = place.partition(":")
    return (resources.files(package) / file).read_text(encoding="utf-8")
