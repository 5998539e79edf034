"""Does a step's cost stay the same as environments are added? Steps a second for 2^10 to 2^20 of them.

Part of `sim`, when a figure is asked for: edgerl on CartPole-v1 and EarlyExit-v0, gymnax's jitted scan on CartPole-v1.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import peers
import report
import rounds
from report import Numbers

from edgerl.util import plots

NUM_ENVS = tuple(2**k for k in range(10, 21))
REPEATS = 2  # in each direction
SECONDS = 0.4  # of one repeat


def measure(
    entrants: dict[str, rounds.Contestant], num_envs: Sequence[int], log: Callable[[str], None], offline: bool
) -> Numbers:
    """For each name: steps a second of each repeat at each number of environments, medians, and how flat these are.

    Args:
      entrants: whose first candidate says all but the numbers of environments and steps, with a `guess` of the speed.
      num_envs: rising.
    """
    found: Numbers = {}
    for name, entrant in entrants.items():
        log(f"{name}: from {num_envs[0]:,} to {num_envs[-1]:,} environments")
        try:
            with rounds.started(entrant, offline) as worker:
                swept = sweep(worker, entrant.candidates[0], num_envs)
        except (rounds.ContestantError, peers.PeerAbsentError) as error:
            found[name] = {"absent": str(error)}
            continue
        medians = {n: statistics.median(speeds) for n, speeds in swept.items()}
        found[name] = {"steps_per_s": medians, "repeats": swept, "deviation": deviation(list(medians.values()))}
    return found


def sweep(worker: rounds.Worker, settings: Numbers, num_envs: Sequence[int]) -> dict[int, list[float]]:
    """Steps a second of each repeat, for each number of environments: upwards, then downwards.

    A noisy neighbour then does not meet the same numbers twice.
    """
    speeds: dict[int, list[float]] = {n: [] for n in num_envs}
    plain = {key: value for key, value in settings.items() if key != "guess"}
    guess = settings["guess"]
    for n in [*num_envs, *reversed(num_envs)]:
        worker.prepare({**plain, "num_envs": n, "num_steps": max(4, round(guess * SECONDS / n))})
        repeats = [worker.run() for _ in range(REPEATS)]
        speeds[n] += [repeat["steps"] / repeat["seconds"] for repeat in repeats]
        guess = statistics.median(speeds[n])
    return speeds


def deviation(speeds: Sequence[float]) -> float:
    """Of the time per step: the largest difference from its median, as a share of it."""
    times = [1 / speed for speed in speeds]
    middle = statistics.median(times)
    return max(abs(time / middle - 1) for time in times)


def goal(found: Numbers, name: str) -> Numbers:
    """Flat to 20 %."""
    return report.goal(0.2, found.get(name, {}).get("deviation"), at_most=True)


def draw(found: Numbers, path: Path, limits: dict[str, float]) -> None:
    """One panel for each environment; `limits` are lines, by the beginning of the names they belong to."""
    panels = sorted({name.partition(":")[0] for name in found})
    with report.figure(path, len(panels), (4.5 * len(panels), 3.5), share_y=False) as axes:
        for axis, panel in zip(axes, panels, strict=True):
            shown = {n: numbers for n, numbers in found.items() if n.startswith(panel) and "steps_per_s" in numbers}
            for (name, numbers), colour in zip(shown.items(), plots.COLOURS, strict=False):
                counts, speeds = [int(n) for n in numbers["steps_per_s"]], list(numbers["steps_per_s"].values())
                axis.loglog(counts, speeds, "o-", color=colour, label=name.partition(": ")[2])
            if panel in limits:
                axis.axhline(limits[panel], color=plots.GREY, linestyle="--", label="a C program")
            axis.set(title=panel, xlabel="environments at once", ylabel="steps a second")
            axis.set_xscale("log", base=2)
            axis.legend(loc="lower right")
