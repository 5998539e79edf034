"""Steps a second of simulation: `edgerl.simulate` against gymnax, Gymnasium and EnvPool, side by side, and against C.

Each contestant is a process of its own and first looks for its best number of environments. Then all of them run in
turns for about a second each, five times. With a figure: also how the speed depends on the number of environments
(`scaling`). How this is kept fair: benchmarks/README.md.
"""

import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import report
import rounds
import scaling
from report import Numbers

REPEATS = 5
SECONDS = 1.0  # of one repeat
TRIAL_SECONDS = 0.25  # of one repeat while searching
# What edgerl tells the compiler when it simulates on CPU devices of one core each; offered to its rivals as well.
XLA_OPTIONS = {
    "xla_cpu_multi_thread_eigen": False,
    "xla_cpu_prefer_vector_width": 512,
    "xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED",
}
NUM_ENVS = tuple(2**k for k in (8, 10, 12, 14, 16))
LIMIT = "limit (C)"
EVERY_STEP = "edgerl, every step"  # the network decides on every step; else once in each of the table's states


@dataclass(frozen=True)
class Workload:
    """What is simulated: an environment, and who decides (hidden sizes, units of memory, or random actions)."""

    name: str
    env: str
    network: tuple[int, ...] = ()
    activation: str = "tanh"
    memory: int = 0

    @property
    def settings(self) -> Numbers:
        network = {"network": list(self.network), "activation": self.activation, "memory": self.memory}
        return {"env": self.env, **network}


CARTPOLE = Workload("CartPole-v1 random", "CartPole-v1")
CARTPOLE_NETWORK = Workload("CartPole-v1 4-64-64-2", "CartPole-v1", (64, 64))
EARLY_EXIT = Workload("EarlyExit-v0 random", "EarlyExit-v0")
EARLY_EXIT_NETWORK = Workload("EarlyExit-v0 4-32-32-2", "EarlyExit-v0", (32, 32), "relu")
MEMORY = Workload("PositionOnlyCartPole-v1 GRU-16", "PositionOnlyCartPole-v1", memory=16)
WORKLOADS = (CARTPOLE, CARTPOLE_NETWORK, EARLY_EXIT, EARLY_EXIT_NETWORK, MEMORY)
ENVIRONMENTS = tuple(dict.fromkeys(workload.env for workload in WORKLOADS))


def contestants(workload: Workload) -> list[rounds.Contestant]:
    """Who can run the workload, with `guess`, the steps a second from which the length of a first trial follows."""
    base, all_cores = workload.settings, report.cores()

    def candidates(guess: float, **more: object) -> tuple[Numbers, ...]:
        return tuple({**base, **more, "num_envs": n, "guess": guess} for n in NUM_ENVS)

    def scan(name: str, library: str, peer: str | None, devices: int) -> rounds.Contestant:
        found = candidates(1e7, library=library, devices=devices, options=None)
        if devices > 1:  # with one device these options gain nothing
            found += candidates(2e7, library=library, devices=devices, options=XLA_OPTIONS)[2:]
        return rounds.Contestant(name, "sim_scan.py", found, peer, {"JAX_NUM_CPU_DEVICES": str(devices)})

    guess = 5e6 if workload.memory else 5e7 if workload.network else 3e8
    entrants = [rounds.Contestant("edgerl", "sim_edgerl.py", candidates(guess))]
    if workload.env == "EarlyExit-v0":
        if workload.network:
            entrants.append(rounds.Contestant(EVERY_STEP, "sim_edgerl.py", candidates(3e7, every_step=True)))
        # Nobody else has this environment: a scan over our own, as one would write it with gymnax.
        return [*entrants, scan("plain scan", "edgerl", None, 1)]
    if workload.memory:
        devices = {"plain scan": 1} | ({"plain scan sharded": all_cores} if all_cores > 1 else {})
        return [*entrants, *(scan(name, "edgerl", None, count) for name, count in devices.items())]
    entrants.append(scan("gymnax", "gymnax", "gymnax", 1))
    if all_cores > 1:
        entrants.append(scan("gymnax sharded", "gymnax", "gymnax", all_cores))
    if not workload.network:
        entrants.append(
            rounds.Contestant("gymnasium", "sim_vector.py", candidates(3e6, library="gymnasium"), "gymnasium")
        )
        pools = tuple(
            settings
            for threads in sorted({1, all_cores})
            for settings in candidates(3e5, library="envpool", num_threads=threads)[1:4]
        )
        entrants.append(rounds.Contestant("envpool", "sim_vector.py", pools, "envpool", install=False))
        programs = tuple(
            {"compiler": compiler, "lanes": lanes, "num_envs": 16384, "guess": 2e9}
            for compiler in [c for c in ("gcc", "clang") if shutil.which(c)] or ["gcc"]  # which says that it is missing
            for lanes in (32, 64, 128, 256)
        )
        entrants.append(rounds.Contestant(LIMIT, "sim_limit.py", programs))
    return entrants


def choose(worker: rounds.Worker, contestant: rounds.Contestant) -> tuple[Numbers, list[Numbers]]:
    """The fastest candidate, with as many steps as fill a repeat; and all that was tried."""
    tried = []
    for candidate in contestant.candidates:
        settings = {k: v for k, v in candidate.items() if k != "guess"}
        settings["num_steps"] = max(8, round(candidate["guess"] * TRIAL_SECONDS / settings["num_envs"]))
        prepared = worker.prepare(settings)
        rate = max(speed(worker.run()) for _ in range(2))
        report.log(f"  {contestant.name}: {rate / 1e6:.3g} M steps/s with {settings['num_envs']} environments")
        tried.append({"settings": settings, "compile_s": prepared["compile_s"], "steps_per_s": rate})
    best = max(tried, key=lambda trial: trial["steps_per_s"])
    num_steps = max(8, round(best["steps_per_s"] * SECONDS / best["settings"]["num_envs"]))
    return {**best["settings"], "num_steps": num_steps}, tried


def speed(repeat: Numbers) -> float:
    """Steps a second."""
    return repeat["steps"] / repeat["seconds"]


def summarise(result: Numbers) -> None:
    """Adds `median` to a contestant's result: steps/s, episodes/min, steps per second of processor time."""
    if "repeats" not in result:
        return
    result["median"] = {
        "steps_per_s": statistics.median(speed(r) for r in result["repeats"]),
        "episodes_per_min": statistics.median(60 * r["episodes"] / r["seconds"] for r in result["repeats"]),
        "steps_per_cpu_s": statistics.median(r["steps"] / r["cpu_seconds"] for r in result["repeats"]),
    }


def goals(entrants: dict[str, Numbers], ratios: dict[str, Numbers | None]) -> dict[str, Numbers]:
    """What this benchmark should show; against gymnax, the faster of its two forms counts."""

    def measured(workload: Workload, *rivals: str) -> float | None:
        found = [ratios.get(f"{workload.name}: edgerl / {rival}") for rival in rivals]
        return min((ratio["of_medians"] for ratio in found if ratio), default=None)

    def median(workload: Workload, quantity: str = "episodes_per_min") -> float | None:
        return entrants.get(f"{workload.name}: edgerl", {}).get("median", {}).get(quantity)

    gymnax = ("gymnax", "gymnax sharded")
    return {
        "CartPole-v1 random, times gymnax's jitted scan": report.goal(40, measured(CARTPOLE, "gymnax")),
        "CartPole-v1 random, times gymnax in the faster of its two forms": report.goal(25, measured(CARTPOLE, *gymnax)),
        "CartPole-v1 random, times Gymnasium's vector environment": report.goal(20, measured(CARTPOLE, "gymnasium")),
        "CartPole-v1 random, times EnvPool": report.goal(500, measured(CARTPOLE, "envpool")),
        "CartPole-v1 random, share of the C program's speed": report.goal(0.5, measured(CARTPOLE, LIMIT)),
        "CartPole-v1 4-64-64-2, times gymnax in the faster of its two forms": report.goal(
            1.5, measured(CARTPOLE_NETWORK, *gymnax)
        ),
        "EarlyExit-v0 random, episodes/min": report.goal(1e10, median(EARLY_EXIT)),
        "EarlyExit-v0 4-32-32-2, episodes/min": report.goal(1.5e9, median(EARLY_EXIT_NETWORK)),
        "PositionOnlyCartPole-v1 GRU-16, steps/s": report.goal(5e6, median(MEMORY, "steps_per_s")),
    }


def run(offline: bool, figure: bool, envs: Sequence[str] = ENVIRONMENTS) -> Numbers:
    """All workloads in some environments; with a figure, the speed against the number of environments as well."""
    result: Numbers = {"benchmark": "sim", "date": report.date(), "machine": report.machine()}
    result["machine"]["load_before"] = report.loads()
    entrants: dict[str, Numbers] = {}
    ratios: dict[str, Numbers | None] = {}
    for workload in (one for one in WORKLOADS if one.env in envs):
        report.log(f"{workload.name}: searching best settings, then {REPEATS} rounds")
        found = rounds.measure(contestants(workload), choose, [{}] * REPEATS, report.log, offline)
        for name, numbers in found.items():
            summarise(numbers)
            entrants[f"{workload.name}: {name}"] = numbers
            if name != "edgerl":
                ratios[f"{workload.name}: edgerl / {name}"] = report.ratio(found["edgerl"], numbers, speed)
    reached = goals(entrants, ratios)
    more: Numbers = {}
    if figure:
        more["scaling"] = scaling.measure(scaled(), scaling.NUM_ENVS, report.log, offline)
        for name in (name for name in more["scaling"] if name.endswith(": edgerl")):
            title = f"{name}, time per step from 2^10 to 2^20 environments, largest deviation from the median"
            reached[title] = scaling.goal(more["scaling"], name)
    result["machine"]["load_after"] = report.loads()
    return {**result, "contestants": entrants, "ratios": ratios, **more, "goals": reached}


def scaled() -> dict[str, rounds.Contestant]:
    """Whose speed is measured against the number of environments."""
    pairs = ((CARTPOLE, "edgerl"), (CARTPOLE, "gymnax"), (EARLY_EXIT, "edgerl"))
    return {f"{w.name}: {name}": c for w, name in pairs for c in contestants(w) if c.name == name}


def rows(result: Numbers) -> list[list[str]]:
    """The table's rows."""
    return report.rows(result, _cells)


def _cells(numbers: Numbers) -> list[str]:
    """Of a contestant that ran."""
    median = numbers["median"]
    millions = [f"{median[key] / 1e6:.4g}" for key in ("steps_per_s", "episodes_per_min", "steps_per_cpu_s")]
    count, size = str(numbers["settings"]["num_envs"]), str(numbers["info"].get("bytes_per_env", ""))
    return [*millions, count, size, f"{numbers['compile_s']:.1f}"]


HEADER = ("", "M steps/s", "M episodes/min", "M steps/core-s", "environments", "bytes each", "compile s")


def draw(result: Numbers, path: Path) -> None:
    """Steps a second against the number of environments."""
    limit = result["contestants"].get(f"{CARTPOLE.name}: {LIMIT}", {}).get("median", {}).get("steps_per_s")
    scaling.draw(result["scaling"], path, {CARTPOLE.name: limit} if limit else {})


def main() -> int:
    """Runs the benchmark; returns 1 if edgerl itself did not run."""
    about = "Simulation speed of edgerl and its peers, side by side: about 5 minutes on 2 cores."
    return report.main("sim", about, run, rows, HEADER, draw, f"{CARTPOLE.name}: edgerl", ENVIRONMENTS)


if __name__ == "__main__":
    sys.exit(main())
