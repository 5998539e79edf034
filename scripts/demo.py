"""The main job, end to end, through the command line that users have: simulate, train, judge, export, verify.

    python scripts/demo.py [--out FOLDER]

Everything printed is measured while it runs.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def edgerl(*arguments: str) -> tuple[dict[str, Any], float]:
    """One command with --json: its object, and the seconds it took."""
    print("$ edgerl", *arguments, file=sys.stderr, flush=True)
    started = time.perf_counter()
    command = [sys.executable, "-m", "edgerl.cli", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(done.stdout, end="")
        sys.exit(done.returncode)
    return (json.loads(done.stdout) if "--json" in arguments else {}), time.perf_counter() - started


def cartpole(out: Path) -> list[tuple[str, str]]:
    """CartPole, from the simulator to verified C: rows of (what, figure)."""
    run, folder = str(out / "cartpole"), str(out / "cartpole_export")
    random, _ = edgerl("simulate", "CartPole-v1", "--json")
    _, training = edgerl("train", "cartpole", "--out", run)
    report, exporting = edgerl("export", run, "--out", folder, "--json")
    checked, verifying = edgerl("verify", folder, "--json")
    edgerl("figures", run, "--json")
    int8 = report["closed_loop"]
    rows = [
        ("random play", f"{random['million_steps_per_second']:,.0f} million steps a second"),
        ("trained, in a fresh process", f"{training:.1f} s"),
        ("int8 return, device's arithmetic", f"{int8['min']:.0f}-{int8['max']:.0f} over {int8['episodes']:,} episodes"),
        ("model file", f"{report['size']['tflite']:,} bytes"),
        ("exported and measured in", f"{exporting:.1f} s"),
        ("verified in", f"{verifying:.1f} s, {'equal' if checked['passed'] else 'DIFFERENT'}"),
    ]
    return rows + [(f"  {check['name']}", _verdict(check)) for check in checked["checks"]]


def early_exit(out: Path) -> list[tuple[str, str]]:
    """Early exits on the shipped table, from training to the header that a firmware includes."""
    run, folder = str(out / "early_exit"), str(out / "early_exit_export")
    _, training = edgerl("train", "early-exit", "--set", "front=0", "--out", run)
    judged, _ = edgerl("evaluate", run, "--json")
    report, _ = edgerl("export", run, "--out", folder, "--json")
    checked, _ = edgerl("verify", folder, "--json")
    mode = judged["modes"]["policy"]
    policy, last = mode["policy"], mode["rules"][f"exit {len(judged['exits']['accuracy'])}"]
    int8 = report["closed_loop"]["int8"]
    return [
        ("trained, ten seeds", f"{training:.1f} s"),
        ("share of optimal stopping's reward", f"{mode['share_of_bound']:.2%} on {mode['images']:,} test images"),
        ("accuracy, compute", f"{_outcome(policy)}; the last exit {_outcome(last)}"),
        (
            "the same as int8 C",
            f"{_outcome(int8)}; {'equal' if checked['passed'] else 'DIFFERENT'} on all that was checked",
        ),
    ]


def _outcome(report: dict[str, Any]) -> str:
    return f"{report['accuracy']['mean']:.1%} at {report['macs']['mean'] / 1e6:.1f} M MACs"


def _verdict(check: dict[str, Any]) -> str:
    word = {True: "equal", False: "DIFFERENT", None: "not checked"}[check["passed"]]
    return f"{word}: {check['detail']}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description="The main job, end to end.", epilog="example: scripts/demo --out runs/demo"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder, replaced if it is there")
    out = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    started = time.perf_counter()
    tables = {"CartPole": cartpole(out), "Early exits": early_exit(out)}
    width = max(len(name) for rows in tables.values() for name, _ in rows)
    for title, rows in tables.items():
        print(f"\n{title}")
        for name, figure in rows:
            print(f"  {name:<{width}}  {figure}")
    print(f"\n{time.perf_counter() - started:.0f} s in all. The files:")
    for path in sorted(out.glob("*/")):
        print(f"  {path}/  {', '.join(sorted(child.name for child in path.iterdir()))}")


if __name__ == "__main__":
    main()
