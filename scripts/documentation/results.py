"""Tables of measured figures, made from `docs/results/*.json`: one figure a cell, with command, date and machine.

A file has a `title`, an optional `note`, and `rows`. A row is an object with `what`, `figure`, `command`, `date`,
`machine` and optionally `range`; or, where the file has `columns`, a list of cells, with command, date and machine once
for the whole file.
"""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "docs" / "results"
_KEYS = {"what", "figure", "range", "command", "date", "machine"}


def load(name: str) -> dict[str, Any]:
    """What one file holds.

    Args:
      name: of the file, without `.json`.
    Raises:
      ValueError: a row lacks a key, has one too many, or has not as many cells as there are columns.
    """
    found = json.loads((FOLDER / f"{name}.json").read_text())
    columns = found.get("columns")
    for row in found["rows"]:
        if columns is None and (not _KEYS - {"range"} <= set(row) <= _KEYS or not all(row.values())):
            raise ValueError(f"docs/results/{name}.json: a row has the keys {sorted(row)}, not {sorted(_KEYS)}: {row}")
        if columns is not None and len(row) != len(columns):
            raise ValueError(f"docs/results/{name}.json: {len(columns)} columns, but a row of {len(row)} cells: {row}")
    return found


def names() -> list[str]:
    """Of all files."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def table(name: str) -> str:
    """One file as a Markdown table."""
    found = load(name)
    if "columns" in found:
        text = _markdown(found["columns"], found["rows"])
        text += f"\n\nMade by {_code(found['command'])} on {found['date']}, on {found['machine']}."
    else:
        ranges = any("range" in row for row in found["rows"])
        heads = ["what", "figure", *(["range"] if ranges else []), "command", "date", "machine"]
        numbers: list[str] = []
        text = _markdown(heads, [[_cell(row, head, numbers) for head in heads] for row in found["rows"]])
        text += "\n\n" + "  \n".join(f"Machine {number}: {machine}." for number, machine in enumerate(numbers, 1))
    return text + (f"\n\n{found['note']}" if "note" in found else "")


def _cell(row: dict[str, str], head: str, machines: list[str]) -> str:
    """A cell; machines, being long, become numbers that the table's foot explains."""
    if head == "machine":
        if row[head] not in machines:
            machines.append(row[head])
        return str(machines.index(row[head]) + 1)
    return _code(row[head]) if head == "command" else row.get(head, "")


def _code(command: str) -> str:
    """Commands between remarks: `edgerl train ...`, and what else belongs to it, in code."""
    return f"`{command}`"


def _markdown(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
