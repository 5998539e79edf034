"""The zoo on the site: a table of its exports, from their reports, and each of them packed for download."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "zoo"
_CORE = "Ibex small"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in an archive, so that the same files give the same archive


def names() -> list[str]:
    """Of all exports of the zoo."""
    return sorted(path.parent.name for path in FOLDER.glob("*/report.json"))


def report(name: str) -> dict[str, Any]:
    """What an export's `report.json` holds."""
    found: dict[str, Any] = json.loads((FOLDER / name / "report.json").read_text())
    return found


def table() -> str:
    """The Markdown of the table of all exports."""
    lines = [
        f"| export | environment | result in int8 | object on rv32imc | cycles, {_CORE} | files |",
        "|---|---|---|---|---|---|",
    ]
    for name in names():
        said = report(name)
        links = [f"[page]({'zoo/' + name + '/demo/index.html'})"] if (FOLDER / name / "demo").is_dir() else []
        links += [f"[report](zoo/{name}/report.json)", f"[folder, .zip](zoo/{name}.zip)"]
        cells = [
            f"**{name}**",
            said["environment"]["id"],
            _result(said["closed_loop"]),
            *_costs(said["c"]),
            ", ".join(links),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _result(played: dict[str, Any]) -> str:
    """Accuracy and cost of early exits, the mean return of everything else."""
    if "int8" in played and "accuracy" in played["int8"]:
        accuracy, macs = (played["int8"][key]["mean"] for key in ("accuracy", "macs"))
        return f"accuracy {accuracy:.1%}, {macs / 1e6:.1f} million MACs"
    return f"mean return {played['mean']:,.1f}"


def _costs(measured: dict[str, Any]) -> Iterator[str]:
    """Bytes of the object, and mean cycles on one core; a dash where a tool was missing."""
    object_ = measured.get("rv32imc")
    yield f"{object_['total']:,} bytes" if isinstance(object_, dict) else "-"
    cycles = measured.get("cycles", {}).get(_CORE)
    yield f"{cycles['decide']['mean']:,.0f}" if isinstance(cycles, dict) else "-"


def packed(name: str) -> bytes:
    """A .zip of an export's folder."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((FOLDER / name).rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(f"{name}/{path.relative_to(FOLDER / name).as_posix()}", _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return made.getvalue()
