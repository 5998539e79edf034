"""The limit in `sim`: CartPole-v1 with random actions in C (../limit.c), all vector lanes, all cores.

It is no peer: nobody could use it for anything else. It says what share of the processor EdgeRL reaches.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from worker import AbsentError, Numbers, Prepared, serve

SOURCE = Path(__file__).resolve().parents[1] / "limit.c"
# Vectors as wide as they get; and leave to turn branches into masks, for which it must not matter what traps or errno.
OPTIONS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-mprefer-vector-width=512")


class Statistics(ctypes.Structure):
    """As in limit.c."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("episodes", "length", "squares")]
    _fields_ += [(name, ctypes.c_uint32) for name in ("shortest", "longest")]


def build(compiler: str, lanes: int) -> ctypes.CDLL:
    """The program as a library, with so many lanes stepped together."""
    if shutil.which(compiler) is None:
        raise AbsentError(f"needs a C compiler: '{compiler}' is not on the path")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "limit.so"
        command = [compiler, *OPTIONS, f"-DLANES={lanes}", "-shared", "-fPIC", str(SOURCE), "-o", str(library)]
        done = subprocess.run([*command, "-lm", "-lpthread"], capture_output=True, text=True)
        if done.returncode:
            wrong = [line for line in done.stderr.splitlines() if "error" in line] or [str(done.returncode)]
            raise AbsentError(f"{compiler} cannot compile limit.c: {wrong[0]}")
        loaded = ctypes.CDLL(str(library))  # stays in memory when its file is gone
    loaded.limit_run.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_int, ctypes.POINTER(Statistics)]
    return loaded


def prepare(settings: Numbers) -> Prepared:
    """Settings: `num_envs`, `num_steps`, `compiler`, `lanes` (which divides `num_envs`)."""
    started = time.perf_counter()
    library = build(settings["compiler"], settings["lanes"])
    seconds = time.perf_counter() - started
    groups, num_steps, threads = settings["num_envs"] // settings["lanes"], settings["num_steps"], _cores()
    found = Statistics()

    def run() -> Numbers:
        if library.limit_run(groups, num_steps, threads, ctypes.byref(found)):
            raise RuntimeError(f"limit.c could not run {num_steps} steps on {threads} threads")
        return {"steps": groups * settings["lanes"] * num_steps, "episodes": found.episodes}

    def check() -> Numbers:
        mean = found.length / found.episodes
        deviation = max(0.0, found.squares / found.episodes - mean**2) ** 0.5
        return {"lengths": {"mean": mean, "std": deviation, "min": found.shortest, "max": found.longest}}

    run()
    return Prepared(run, seconds, check, {"compiler": _version(settings["compiler"])})


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _version(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout.partition("\n")[0]


if __name__ == "__main__":
    serve(prepare)
