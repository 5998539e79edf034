"""Tables for a terminal: one figure a cell, numbers to the right."""

from collections.abc import Sequence
from typing import Any

Rows = Sequence[Sequence[Any]]


def aligned(rows: Rows) -> str:
    """Rows of text and numbers as lines; the first row names the columns, the first column the rows."""
    texts = [[cell(x) for x in row] for row in rows]
    columns = max(len(row) for row in texts)
    texts = [row + [""] * (columns - len(row)) for row in texts]
    widths = [max(len(row[i]) for row in texts) for i in range(columns)]
    lines = []
    for row in texts:
        first, others = row[0].ljust(widths[0]), zip(row[1:], widths[1:], strict=True)
        lines.append("  ".join([first, *(text.rjust(width) for text, width in others)]).rstrip())
    return "\n".join(lines)


def cell(x: Any) -> str:
    """Five digits of a number that is not whole; "-" for what there is not."""
    if x is None:
        return "-"
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        return str(x)
    if isinstance(x, int) or (float(x).is_integer() and abs(x) < 1e15):
        return f"{int(x):,}"
    return f"{x:,.5g}" if abs(x) < 1e5 else f"{x:,.0f}"


def percent(share: float | None, digits: int = 1) -> str | None:
    """A share as percent, None as it is."""
    return None if share is None else f"{100 * share:.{digits}f} %"
