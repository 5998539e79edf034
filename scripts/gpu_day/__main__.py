"""All parts one after another, each in a process of its own and within its share of the time; one file of figures.

    scripts/gpu [--out FOLDER] [--minutes 12] [--images gpu_images.npz] [--parts simulator ppo trunk vit]
    scripts/gpu --toy            # every part at a tiny size, on a processor

A part that fails or is cut is told in the figures, with what it had measured, and does not stop the others.
"""

import argparse
import datetime
import importlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from edgerl.util import files

FIGURES = "figures.json"
SHARES = {"simulator": 0.2, "ppo": 0.25, "trunk": 0.35, "vit": 0.2}  # of the time
GRACE = 10  # seconds beyond its share after which a part is ended
TOY_SECONDS = 900  # of a part, on a machine that others use, too


def main() -> int:
    """Runs the parts; 1 if one of them failed."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.part:
        return _one(options)
    began, found = time.monotonic(), {"date": datetime.date.today().isoformat(), "toy": options.toy, "parts": {}}
    waiting = dict.fromkeys(options.parts)
    for part in options.parts:
        left = 60 * options.minutes - GRACE - (time.monotonic() - began)
        seconds = TOY_SECONDS if options.toy else left * SHARES[part] / sum(SHARES[name] for name in waiting)
        print(f"{part}: {seconds:.0f} s", file=sys.stderr, flush=True)
        found["parts"][part] = _apart(options, part, seconds)
        files.write_json(options.out / FIGURES, found)
        waiting.pop(part)
    print(f"{options.out / FIGURES}: " + ", ".join(f"{part} {x['status']}" for part, x in found["parts"].items()))
    return int(any(x["status"] != "done" for x in found["parts"].values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/gpu", description="Measures on a GPU what was measured on none.")
    parser.add_argument("--toy", action="store_true", help="every part at a tiny size, on a processor")
    out = Path(os.environ.get("OUT") or "runs/gpu")
    parser.add_argument("--out", type=Path, default=out, help="folder for the results (default: $OUT, or runs/gpu)")
    parser.add_argument("--minutes", type=float, default=12, help="for all parts together (default: 12)")
    parser.add_argument("--images", metavar="FILE.npz", help="what `python -m gpu_day.images` has packed")
    parser.add_argument("--parts", nargs="+", choices=SHARES, default=list(SHARES), help="some only")
    parser.add_argument("--part", choices=SHARES, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def _apart(options: argparse.Namespace, part: str, seconds: float) -> dict[str, Any]:
    """What a process of its own found of a part, and how it ended."""
    command = [sys.executable, "-m", "gpu_day", "--part", part, "--seconds", str(seconds), "--out", str(options.out)]
    command += ["--toy"] * options.toy
    variables = {"EDGERL_GPU_IMAGES": options.images} if options.images else {}
    if options.toy:
        variables |= {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # it is compiling that takes long
    began, told = time.monotonic(), ""
    try:
        done = subprocess.run(
            command, env={**os.environ, **variables}, timeout=seconds + GRACE, stderr=subprocess.PIPE, text=True
        )
        told = done.stderr
        status = "done" if done.returncode == 0 else f"failed: {(told.strip().splitlines() or ['no word'])[-1]}"
    except subprocess.TimeoutExpired as error:
        status, told = f"cut after {seconds:.0f} s", (error.stderr or b"").decode(errors="replace")
    if status != "done":
        print(told[-4000:], file=sys.stderr, flush=True)
    path = options.out / f"{part}.json"
    measured = files.read_json(path) if path.is_file() else {}
    path.unlink(missing_ok=True)
    return {"status": status, "seconds": time.monotonic() - began, **measured}


def _one(options: argparse.Namespace) -> int:
    """A part, in this process."""
    import edgerl  # before jax  # noqa: F401, I001
    import jax

    from gpu_day.figures import Figures

    figures = Figures(options.out / f"{options.part}.json", options.seconds, options.toy)
    devices = [device.device_kind for device in jax.devices()]
    figures.add("machine", devices=devices, jax=jax.__version__, python=platform.python_version())
    importlib.import_module(f"gpu_day.{options.part}").run(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
