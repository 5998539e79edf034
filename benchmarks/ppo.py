"""Time of PPO until CartPole-v1 or Pendulum-v1 is solved: edgerl against its peers, side by side, 20 seeds.

A training call is timed after compiling; then its greedy policy plays 100 episodes, outside that time. Solved is a mean
return of 475 or more on CartPole-v1, of -200 or more on Pendulum-v1 (`ppo_problems`). edgerl runs what `edgerl train
cartpole` and `edgerl train Pendulum-v1` run. A peer runs with its recommended settings, of which the fastest is chosen
that solves most trial seeds; RLtools with the faster of its algorithms, which is SAC; rejax on CartPole-v1 also with
settings that were tuned here. How this is kept fair: benchmarks/README.md.
"""

import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import report
import rounds
from ppo_problems import PROBLEMS, SHORTER, Problem
from report import Numbers

from edgerl.util import plots

SEEDS = 20
TRIAL_SEEDS = range(100, 105)
MANY, MANY_REPEATS = 100, 5  # seeds trained side by side, and how often that is timed
MANY_TIMES = f"{MANY} seeds side by side, times one: seconds"


def side_by_side(problem: Problem, offline: bool) -> tuple[Numbers, Numbers | None]:
    """Many seeds in one call and one seed alone, in turns: the result of the many, and how many times as long it takes.

    On all devices, as the seeds of a run are.
    """
    one, many = "edgerl, one seed", f"edgerl, {MANY} seeds side by side"
    entrants = [
        rounds.Contestant(name, "ppo_edgerl.py", ({**problem.ours, "seeds": seeds},))
        for name, seeds in ((one, 1), (many, MANY))
    ]
    found = rounds.measure(entrants, chooser(problem), [{"seed": i} for i in range(MANY_REPEATS)], report.log, offline)
    return found[many], report.ratio(found[many], found[one], lambda repeat: repeat["seconds"])


def chooser(problem: Problem) -> Callable[[rounds.Worker, rounds.Contestant], tuple[Numbers, list[Numbers]]]:
    """Of a contestant's settings the fastest that solve most trial seeds; if none does, those that solve the most."""

    def choose(worker: rounds.Worker, contestant: rounds.Contestant) -> tuple[Numbers, list[Numbers]]:
        if len(contestant.candidates) == 1:
            return contestant.candidates[0], []
        tried = []
        for settings in contestant.candidates:
            prepared = worker.prepare(settings)
            runs = [worker.run(seed=seed) for seed in TRIAL_SEEDS]
            found = summary(problem, runs)
            trial = {"settings": settings, "compile_s": prepared["compile_s"], "seeds": len(runs), **found}
            report.log(f"  {contestant.name}: {trial['solved']} of {len(runs)} in {trial['seconds']:.2f} s, {settings}")
            tried.append(trial)
        enough = [trial for trial in tried if trial["solved"] > len(TRIAL_SEEDS) / 2]
        best = min(enough or tried, key=lambda trial: trial["seconds"] if enough else -trial["solved"])
        return best["settings"], tried

    return choose


def summary(problem: Problem, runs: list[Numbers]) -> Numbers:
    """How many runs solved the problem, and their median times."""
    return {
        "solved": sum(value >= problem.solved for run in runs for value in returns(run)),
        "seconds": statistics.median(run["seconds"] for run in runs),
        "cpu_seconds": statistics.median(run["cpu_seconds"] for run in runs),
    }


def returns(run: Numbers) -> list[float]:
    """Of each seed that a run trained."""
    return run["return"] if isinstance(run["return"], list) else [run["return"]]


def run(offline: bool, figure: bool, envs: Sequence[str] = tuple(problem.env for problem in PROBLEMS)) -> Numbers:
    """The problems of these environments, one after another."""
    result: Numbers = {"benchmark": "ppo", "date": report.date(), "machine": report.machine()}
    result["machine"]["load_before"] = report.loads()
    parts: dict[str, Numbers] = {"contestants": {}, "ratios": {}, "goals": {}}
    for problem in (problem for problem in PROBLEMS if problem.env in envs):
        for part, found in measured(problem, offline, figure).items():
            parts[part] |= {f"{problem.env}: {name}": numbers for name, numbers in found.items()}
    result["machine"]["load_after"] = report.loads()
    return {**result, **parts}


def measured(problem: Problem, offline: bool, figure: bool) -> dict[str, Numbers]:
    """20 rounds of one seed each, and some of many seeds at once: `contestants`, `ratios`, `goals`."""
    report.log(f"{problem.env}: searching best settings, then {SEEDS} rounds")
    repeats = [{"seed": i} for i in range(SEEDS)]
    found = rounds.measure(problem.contestants(figure), chooser(problem), repeats, report.log, offline)
    ours = [name for name in ("edgerl", SHORTER) if name in found]
    ratios = {
        f"{one} / {name}: seconds": report.ratio(found[one], numbers, lambda repeat: repeat["seconds"])
        for one in ours
        for name, numbers in found.items()
        if name not in ours
    }
    many, times_one = side_by_side(problem, offline) if problem.many_times is not None else (None, None)
    if many is not None:
        found[f"edgerl, {MANY} seeds side by side"] = many
        ratios[MANY_TIMES] = times_one
    for numbers in found.values():
        if "repeats" in numbers:
            numbers["median"] = summary(problem, numbers["repeats"])
    return {"contestants": found, "ratios": ratios, "goals": goals(problem, found, ratios)}


def goals(problem: Problem, found: dict[str, Numbers], ratios: dict[str, Numbers | None]) -> dict[str, Numbers]:
    """What this benchmark should show."""
    ours, most = found["edgerl"].get("repeats"), problem.most_steps
    solved = ours and sum(r["return"] >= problem.solved and (most is None or r["steps"] <= most) for r in ours)
    within = "" if most is None else f" within {most:,} steps"
    made = {f"seeds of {SEEDS} solved{within}": report.goal(SEEDS, solved)}
    bounds = {f"edgerl / {name}: seconds": times for name, times in problem.most_times.items()}
    for name, times in {**bounds, MANY_TIMES: problem.many_times}.items():
        if times is not None:
            ratio = ratios[name]
            made[name] = report.goal(times, ratio and ratio["of_medians"], at_most=True)
    seconds = found["edgerl"].get("median", {}).get("seconds")
    made["edgerl: seconds"] = report.goal(problem.most_seconds, seconds, at_most=True)
    return made


HEADER = ("", "s", "core-s", "solved", "steps", "compile s")


def rows(result: Numbers) -> list[list[str]]:
    """The table's rows."""
    return report.rows(result, _cells)


def _cells(numbers: Numbers) -> list[str]:
    """Of a contestant that ran."""
    median, steps = numbers["median"], numbers["repeats"][0]["steps"]
    times = [f"{median[key]:.3f}" for key in ("seconds", "cpu_seconds")]
    solved = f"{median['solved']} of {sum(len(returns(repeat)) for repeat in numbers['repeats'])}"
    return [*times, solved, f"{steps:,}", f"{numbers['compile_s']:.1f}"]


def draw(result: Numbers, path: Path) -> None:
    """Return of the greedy policy against training time: the median over the seeds, and its middle half."""
    shown = [p for p in PROBLEMS if any(name.startswith(f"{p.env}: ") for name in result["contestants"])]
    with report.figure(path, len(shown), (6 * len(shown), 4), share_y=False) as axes:
        for problem, axis in zip(shown, axes, strict=True):
            found = [(n, c) for n, c in result["contestants"].items() if n.startswith(f"{problem.env}: ")]
            for (name, numbers), colour in zip(found, plots.COLOURS, strict=False):
                if curves := [repeat["curve"] for repeat in numbers.get("repeats", ()) if repeat.get("curve")]:
                    # All of a contestant's curves are evaluated at the same shares of their training.
                    times = [share * numbers["median"]["seconds"] for share, _ in curves[0]]
                    values = [[value for _, value in curve] for curve in curves]
                    low, middle, high = np.percentile(values, (25, 50, 75), axis=0)
                    label = f"{name.partition(': ')[2]}: median of {len(curves)} seeds"
                    axis.plot(times, middle, "o-", color=colour, markersize=3, label=label)
                    axis.fill_between(times, low, high, alpha=0.2, color=colour, linewidth=0)
            solved = f"solved: {problem.solved:g}"
            axis.axhline(problem.solved, color=plots.GREY, linestyle="--", linewidth=1, label=solved)
            axis.set(xlabel="training time after compiling (s)", ylabel="mean return of an episode", xscale="log")
            axis.set_title(f"{problem.env}, without exploration (shade: middle half)")
            axis.legend()


def main() -> int:
    """Runs the benchmark; returns 1 if edgerl itself did not run."""
    envs = [problem.env for problem in PROBLEMS]
    about = f"Training until {' and '.join(envs)} are solved, edgerl and its peers, side by side: about 15 minutes."
    return report.main("ppo", about, run, rows, HEADER, draw, ": edgerl", envs)


if __name__ == "__main__":
    sys.exit(main())
