"""A training step of AgentViT's transformer, forward, backward and AdamW, against the same model in PyTorch.

At 64 tokens, which are all patches, and at 30. Both start from the same weights and must find the same first loss.
"""

import statistics
import sys
from pathlib import Path

import report
import rounds
from report import Numbers

TOKENS = (64, 30)
SHAPE = {"width": 96, "depth": 4, "heads": 3, "hidden": 192, "stem": 48, "batch": 128}
STEPS, REPEATS = 4, 5
SAME = 1e-3  # by which the first losses may differ
HEADER = ("", "ms a step", "core-ms a step", "compile s")


def contestants(tokens: int) -> list[rounds.Contestant]:
    """Ours, and PyTorch with its fused attention or without, on one core or all, whichever is faster."""
    settings = {**SHAPE, "tokens": tokens, "steps": STEPS}
    threads = sorted({1, report.cores()})  # whose threads wait by turning: on a busy machine one alone needs less
    ways = tuple({**settings, "fused": fused, "threads": n} for n in threads for fused in (False, True))
    return [
        rounds.Contestant("edgerl", "vit_edgerl.py", (settings,)),
        rounds.Contestant("PyTorch", "vit_torch.py", ways, "torch", install=False),
    ]


def choose(worker: rounds.Worker, contestant: rounds.Contestant) -> tuple[Numbers, list[Numbers]]:
    """The candidate that needs the least processor time, and all that was tried."""
    tried = []
    for settings in contestant.candidates:
        if len(contestant.candidates) > 1:
            worker.prepare(settings)
            tried.append({"settings": settings, "cpu_seconds": worker.run()["cpu_seconds"]})
    best = min(tried, key=lambda trial: trial["cpu_seconds"])["settings"] if tried else contestant.candidates[0]
    return best, tried


def pace(repeat: Numbers) -> float:
    """Steps a second of processor time."""
    return repeat["steps"] / repeat["cpu_seconds"]


def run(offline: bool, figure: bool) -> Numbers:
    """Both numbers of tokens, one after the other."""
    del figure  # there is nothing more to measure
    result: Numbers = {"benchmark": "vit", "date": report.date(), "machine": report.machine()}
    result["machine"]["load_before"] = report.loads()
    entrants: dict[str, Numbers] = {}
    ratios: dict[str, Numbers | None] = {}
    for tokens in TOKENS:
        found = rounds.measure(contestants(tokens), choose, [{}] * REPEATS, report.log, offline)
        _require_same_work(found)
        for name, numbers in found.items():
            if "repeats" in numbers:
                numbers["median"] = {
                    "seconds_a_step": statistics.median(r["seconds"] / r["steps"] for r in numbers["repeats"]),
                    "cpu_seconds_a_step": statistics.median(1 / pace(r) for r in numbers["repeats"]),
                }
            entrants[f"{tokens} tokens: {name}"] = numbers
        ratios[f"{tokens} tokens: edgerl / PyTorch, speed"] = report.ratio(found["edgerl"], found["PyTorch"], pace)
    result["machine"]["load_after"] = report.loads()
    return {**result, "contestants": entrants, "ratios": ratios, "goals": goals(entrants, ratios)}


def _require_same_work(found: dict[str, Numbers]) -> None:
    """A contestant whose first loss is not ours has failed."""
    ours = found["edgerl"].get("repeats")
    for numbers in found.values():
        theirs = numbers.get("repeats")
        if ours and theirs and abs(ours[0]["first_loss"] - theirs[0]["first_loss"]) > SAME:
            losses = f"{theirs[0]['first_loss']:.4f} instead of {ours[0]['first_loss']:.4f}"
            numbers["failed"] = f"another model: its first loss is {losses}"
            del numbers["repeats"]


def goals(entrants: dict[str, Numbers], ratios: dict[str, Numbers | None]) -> dict[str, Numbers]:
    """What this benchmark should show, in processor time."""
    every, few = (entrants[f"{tokens} tokens: edgerl"].get("median") for tokens in TOKENS)
    share = few["cpu_seconds_a_step"] / every["cpu_seconds_a_step"] if every and few else None
    reached = {f"a step at {TOKENS[1]} tokens, share of one at {TOKENS[0]}": report.goal(0.6, share, at_most=True)}
    for name, ratio in ratios.items():
        reached[name] = report.goal(1.0, ratio and ratio["of_medians"])
    return reached


def rows(result: Numbers) -> list[list[str]]:
    """The table's rows."""
    return report.rows(result, _cells)


def _cells(numbers: Numbers) -> list[str]:
    """Of a contestant that ran."""
    times = [f"{1e3 * numbers['median'][key]:.0f}" for key in ("seconds_a_step", "cpu_seconds_a_step")]
    return [*times, f"{numbers['compile_s']:.1f}"]


def draw(result: Numbers, path: Path) -> None:
    """Milliseconds of processor time a step, by tokens."""
    with report.figure(path, 1, (6, 3.6)) as axes:
        for name in ("edgerl", "PyTorch"):
            found = {t: result["contestants"][f"{t} tokens: {name}"].get("median") for t in TOKENS}
            points = [(t, 1e3 * median["cpu_seconds_a_step"]) for t, median in found.items() if median]
            if points:
                axes[0].plot(*zip(*points, strict=True), marker="o", label=name)
        axes[0].set(xlabel="tokens of an image", ylabel="processor time of a step (ms)", xlim=(0, None), ylim=(0, None))
        axes[0].legend()


def main() -> int:
    """Runs the benchmark; returns 1 if edgerl itself did not run."""
    about = "A training step of AgentViT's transformer and of the same model in PyTorch: about 2 minutes on 2 cores."
    return report.main("vit", about, run, rows, HEADER, draw, ": edgerl")


if __name__ == "__main__":
    sys.exit(main())
