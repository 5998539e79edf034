"""Puts what a benchmark measured into `docs/results`: its figures replace those of the rows with the same name.

    edgerl bench sim --json > bench.json
    PYTHONPATH=scripts python -m documentation.record bench.json

A figure that the benchmark did not measure, since a peer was missing, leaves its row as it is, with its old date.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from documentation import results

_NETWORK = "CartPole-v1 with a 4-64-64-2 tanh policy: times gymnax with that network"
_ONCE = "EarlyExit-v0 with a greedy 4-32-32-2 policy, decided once in each of the 40,000 states"
_ALWAYS = "EarlyExit-v0 with a greedy 4-32-32-2 policy, decided on every step"
_OWN = "a plain scan over its own step"
_MEMORY = "PositionOnlyCartPole-v1 with a policy of a GRU of 16 units"
_SPEEDS = {
    "CartPole-v1 random: edgerl": ("CartPole-v1, random play: steps a second", "steps_per_s"),
    "EarlyExit-v0 random: edgerl": ("EarlyExit-v0, random play: episodes a minute", "episodes_per_min"),
    "EarlyExit-v0 4-32-32-2: edgerl": (f"{_ONCE}: episodes a minute", "episodes_per_min"),
    "EarlyExit-v0 4-32-32-2: edgerl, every step": (f"{_ALWAYS}: episodes a minute", "episodes_per_min"),
    "PositionOnlyCartPole-v1 GRU-16: edgerl": (f"{_MEMORY}: steps a second", "steps_per_s"),
}
_RATIOS = {
    "CartPole-v1 random: edgerl / gymnax": "CartPole-v1, random play: times gymnax's jitted scan",
    "CartPole-v1 random: edgerl / gymnasium": "CartPole-v1, random play: times Gymnasium's vector environment",
    "CartPole-v1 random: edgerl / envpool": "CartPole-v1, random play: times EnvPool",
    "CartPole-v1 random: edgerl / limit (C)": "CartPole-v1, random play: share of a C program's speed",
    "CartPole-v1 4-64-64-2: edgerl / gymnax": _NETWORK,
    "CartPole-v1 4-64-64-2: edgerl / gymnax sharded": f"{_NETWORK}, sharded over both cores as well",
    "EarlyExit-v0 random: edgerl / plain scan": "EarlyExit-v0, random play: times a plain scan over its own step",
    "EarlyExit-v0 4-32-32-2: edgerl / plain scan": f"{_ONCE}: times a plain scan",
    "PositionOnlyCartPole-v1 GRU-16: edgerl / plain scan": f"{_MEMORY}: times {_OWN}, on one core",
    "PositionOnlyCartPole-v1 GRU-16: edgerl / plain scan sharded": f"{_MEMORY}: times {_OWN}, sharded over both cores",
}


def measured(bench: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The rows that one `edgerl bench sim --json` fills, as `docs/results/simulator.json` has them."""
    about = bench["machine"]
    machine = f"{about['cores']} cores of {about['cpu']}, load {about['load_before'][0]} before"
    more = {"command": "edgerl bench sim", "date": bench["date"][:10], "machine": machine}
    for name, (what, key) in _SPEEDS.items():
        if "median" in bench["contestants"].get(name, {}):
            yield {"what": what, "figure": _count(bench["contestants"][name]["median"][key]), **more}
    for name, what in _RATIOS.items():
        if found := bench["ratios"].get(name):
            unit = (100, " %") if "share" in what else (1, "")
            middle, low, high = (_short(unit[0] * found[key]) for key in ("of_medians", "low", "high"))
            span = f"{low} to {high}{unit[1]} in single rounds"
            yield {"what": what, "figure": f"{middle}{unit[1]}", "range": span, **more}


def record(bench: dict[str, Any]) -> int:
    """Rewrites `docs/results/simulator.json`; how many rows have a new figure.

    Raises:
      ValueError: it is another benchmark's result.
      KeyError: a row of that name is not in the file.
    """
    if bench.get("benchmark") != "sim":
        raise ValueError(f"expected what `edgerl bench sim --json` printed, got a benchmark {bench.get('benchmark')!r}")
    found = results.load("simulator")
    place = {row["what"]: number for number, row in enumerate(found["rows"])}
    new = list(measured(bench))
    for row in new:
        found["rows"][place[row["what"]]] = row
    (results.FOLDER / "simulator.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return len(new)


def _count(number: float) -> str:
    size, name = (1e9, "billion") if number >= 1e9 else (1e6, "million")
    return f"{_short(number / size)} {name}"


def _short(number: float) -> str:
    """Three digits, or all before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


if __name__ == "__main__":
    print(f"{record(json.loads(Path(sys.argv[1]).read_text()))} rows of docs/results/simulator.json")
