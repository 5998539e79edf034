"""What a benchmark reports: the machine, medians, ratios with their spread, goals; as JSON, as a table, as a figure."""

import argparse
import contextlib
import datetime
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgerl.util import plots
from edgerl.util.json_text import to_json

Numbers = dict[str, Any]


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def machine() -> Numbers:
    """Processor, cores, system and versions. Call `loads` before and after for how busy it was."""
    described = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in described if line.startswith("model name")]
    versions = {"python": platform.python_version()}
    for package in ("edgerl", "jax", "jaxlib", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def loads() -> list[float]:
    """Processes that wanted a core, on average over the last 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def date() -> str:
    """Now, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def ratio(a: Mapping[str, Any], b: Mapping[str, Any], quantity: Callable[[Numbers], float]) -> Numbers | None:
    """How many times as much of a `quantity` A has as B: of the medians, and in each round.

    Args:
      a, b: results of `rounds.measure`; where one has fewer repeats, only so many rounds are compared.
      quantity: from one repeat to a positive number.
    Returns:
      `of_medians`, `rounds`, `low`, `high` (the rounds' smallest and largest); None if either did not run.
    """
    if "repeats" not in a or "repeats" not in b:
        return None
    ours, theirs = ([quantity(repeat) for repeat in result["repeats"]] for result in (a, b))
    each = [x / y for x, y in zip(ours, theirs, strict=False)]
    return {
        "of_medians": statistics.median(ours) / statistics.median(theirs),
        "rounds": each,
        "low": min(each),
        "high": max(each),
    }


def goal(wanted: float, measured: float | None, at_most: bool = False) -> Numbers:
    """Whether a number is at least (or at most) what is wanted; `met` is None where nothing was measured."""
    met = None if measured is None else bool(measured <= wanted if at_most else measured >= wanted)
    return {"at_most" if at_most else "at_least": wanted, "measured": measured, "met": met}


def main(
    name: str,
    about: str,
    run: Callable[..., Numbers],
    rows: Callable[[Numbers], Sequence[Sequence[str]]],
    header: Sequence[str],
    draw: Callable[[Numbers, Path], None],
    essential: str,
    envs: Sequence[str] = (),
) -> int:
    """A benchmark's command line.

    Args:
      name: of the script.
      about: what it does, for `--help`.
      run: from `offline`, and whether there will be a figure, to the result; with `envs`, from the chosen ones too.
      rows, header: the table.
      draw: makes the figure.
      essential: how the contestants' names end without which the benchmark has failed.
      envs: environments of which the command line may choose one; without a choice, all of them run.
    Returns:
      The exit status.
    """
    parser = argparse.ArgumentParser(description=about, epilog=f"example: python benchmarks/{name}.py --json")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--figure", type=Path, metavar="FILE.png", help="also draw the result")
    parser.add_argument("--offline", action="store_true", help="do not install peers that are absent")
    if envs:
        parser.add_argument("--env", choices=envs, help="this environment alone (default: one after another)")
    options = parser.parse_args()
    if options.figure and not options.figure.absolute().parent.is_dir():
        parser.error(f"--figure {options.figure}: its folder does not exist")
    try:
        chosen = [[options.env] if options.env else envs] if envs else []
        result = run(options.offline, options.figure is not None, *chosen)
    except KeyboardInterrupt:
        log(f"{name}: interrupted")
        return 130
    show(result, options.json, rows(result), header)
    if options.figure:
        draw(result, options.figure)
    needed = [numbers for contestant, numbers in result["contestants"].items() if contestant.endswith(essential)]
    return int(any(missing(numbers) is not None for numbers in needed))


@contextlib.contextmanager
def figure(path: Path, panels: int, size: tuple[float, float], share_y: bool = True) -> Iterator[Any]:
    """Axes side by side, [panels]; written to `path` at the end. `size` is in inches."""
    drawn, axes = plots.axes(panels, size, sharey=share_y)
    yield axes
    plots.save_figure(drawn, path)


def log(message: str) -> None:
    """Progress, on standard error."""
    print(message, file=sys.stderr, flush=True)


def show(result: Numbers, as_json: bool, rows: Sequence[Sequence[str]], header: Sequence[str]) -> None:
    """Prints the result: one JSON object, or the machine, a table, ratios and goals."""
    if as_json:
        print(to_json(result))
        return
    about = result["machine"]
    print(f"{result['benchmark']}: {about['cpu']}, {about['cores']} cores, {about['system']}, {result['date']}")
    print(f"load before {about['load_before']}, after {about['load_after']}; {about['versions']}\n")
    print(table(rows, header))
    if result["ratios"]:
        print("\nratios (of medians; smallest and largest of the rounds)")
    for name, value in result["ratios"].items():
        text = f"{value['of_medians']:.4g}  ({value['low']:.4g} … {value['high']:.4g})" if value else "not measured"
        print(f"  {name}: {text}")
    print("\ngoals")
    for name, value in result["goals"].items():
        bound = f"≤ {value['at_most']:g}" if "at_most" in value else f"≥ {value['at_least']:g}"
        measured = "not measured" if value["met"] is None else f"{value['measured']:.4g}"
        print(f"  {name}: {measured} ({bound}){'' if value['met'] in (True, None) else '  NOT MET'}")


def rows(result: Numbers, cells: Callable[[Numbers], list[str]]) -> list[list[str]]:
    """A row a contestant: its name and its `cells`, or its name and why it did not run."""
    found = result["contestants"].items()
    return [[name, reason] if (reason := missing(numbers)) else [name, *cells(numbers)] for name, numbers in found]


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Columns as wide as their widest cell; the first is aligned left, the others right."""
    lines = [header, *rows]
    whole = [line for line in lines if len(line) == len(header)]
    widths = [max(len(line[i]) for line in (whole if i else lines)) for i in range(len(header))]
    shown = []
    for line in lines:
        if len(line) < len(header):  # a contestant that did not run: its name and why
            shown.append(f"{line[0]:<{widths[0]}}  {line[1]}")
        else:
            cells = [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]
            shown.append("  ".join([f"{line[0]:<{widths[0]}}", *cells]))
    return "\n".join(shown)


def missing(result: Mapping[str, Any]) -> str | None:
    """Why a contestant did not run, or None."""
    return next((f"{word}: {result[word]}" for word in ("absent", "failed") if word in result), None)
