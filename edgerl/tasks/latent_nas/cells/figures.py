"""Pictures of a search through NAS-Bench-201's cells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.util.plots import BLACK, BLUE, COLOURS, GREY, ORANGE, save_figure
from edgerl.util.plots import axes as axes_of

_MARKERS = "osD^vPX*"


def regrets(axis: Any, found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Mean regret of each search by looks, two standard errors around it; side by side where they would overlap."""
    for place, (name, at) in enumerate(found.items()):
        colour, marker = COLOURS[place % len(COLOURS)], _MARKERS[place % len(_MARKERS)]
        counts = np.array([int(count) for count in at])
        mean, error = (np.array([one[key] for one in at.values()]) for key in ("mean", "standard_error"))
        axis.errorbar(
            counts * 1.03 ** (place - len(found) / 2),
            mean,
            2 * np.nan_to_num(error),
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.2,
            capsize=2,
            label=f"{name} ({next(iter(at.values()))['runs']} runs)",
        )
    axis.set(xscale="log", xlabel="looks at the table", ylabel="mean regret (percentage points)", ylim=(0, None))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_title("What is missing to the best of the table (bars: two standard errors)")


def looks(path: Path, seen: np.ndarray, best: float, found: Mapping[str, Any]) -> Path:
    """The run's own search, look by look, and beside it what `edgerl evaluate` found of others, where it did."""
    figure, panels = axes_of(2 if found else 1, (11 if found else 6, 4))
    panels[0].plot(np.arange(1, len(seen) + 1), seen, ".", color=GREY, markersize=4, label="measured")
    panels[0].plot(np.arange(1, len(seen) + 1), np.maximum.accumulate(seen), color=BLUE, label="best so far")
    panels[0].axhline(best, color=BLACK, linestyle=":", linewidth=1, label="best of the table")
    panels[0].set(xlabel="looks at the table", ylabel="measured accuracy (%)", ylim=(np.quantile(seen, 0.1), best + 1))
    panels[0].set_title("The search of this run")
    panels[0].legend(loc="lower right")
    if found:
        regrets(panels[1], found)
        panels[1].legend()
    return save_figure(figure, path)


def predicted(path: Path, said: np.ndarray, values: np.ndarray, measured: np.ndarray) -> Path:
    """What the surrogate says of every cell, against its accuracy; the cells that it has seen marked."""
    figure, (axis,) = axes_of(size=(6, 4.5))
    axis.plot(said, values, ".", color=GREY, markersize=2, alpha=0.4, label="never looked at", rasterized=True)
    axis.plot(said[measured], values[measured], ".", color=ORANGE, markersize=5, label="measured in the search")
    axis.set(xlabel="optimistic prediction (standard deviations above the mean)", ylabel="measured accuracy (%)")
    axis.set_title("What the surrogate says of each cell, and what is true")
    axis.legend(loc="lower right")
    return save_figure(figure, path)
