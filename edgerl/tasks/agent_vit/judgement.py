"""Every way to choose patches, judged at equal epochs, equal multiply-accumulates and equal time."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.agent_vit import members, methods, training
from edgerl.tasks.agent_vit.agents import online
from edgerl.tasks.agent_vit.data import Splits
from edgerl.tasks.agent_vit.evaluate import predict
from edgerl.tasks.agent_vit.methods import METHODS, AgentViTConfig
from edgerl.util import files

TIMES = "times.json"
ROUNDS, TIMED = 7, 40  # how often each method is timed, and for how many steps
CURVE = 3  # judgements on the way to equal multiply-accumulates
CHOSEN = 512  # test images whose choices are counted for the pictures
BUDGETS = ("equal_epochs", "equal_macs", "equal_time")
KINDS = ("all", "own")  # patches that the transformer sees when it is judged


def evaluate(settings: AgentViTConfig, splits: Splits, run: Path) -> dict[str, Any]:
    """Trains what is not there yet, times one step of each method, and reads every curve at the three budgets."""
    steps = methods.epochs_steps(settings, splits)
    curves: dict[str, list[list[dict[str, Any]]]] = {}
    cost, timed = {}, {}
    budget = steps * _macs(methods.member(settings, splits, "full", settings.seed))
    names = [name for name in METHODS if name in {"full", "random", settings.agent, *settings.compared}]
    for name in names:
        base = methods.member(settings, splits, name, settings.seed)
        cost[name] = _macs(base)
        marks = marks_of(steps, budget / cost[name])
        curves[name] = []
        for seed in methods.seeds(settings):
            one = methods.member(settings, splits, name, seed, marks)
            running, curve = training.train(training.PatchTraining(one, run, splits))
            curves[name].append(curve)
        timed[name] = (one, running)
    seconds = _seconds(timed, run / TIMES)
    rows = {name: _row(curves[name], steps, budget, steps * seconds["full"] / seconds[name]) for name in names}
    for name, row in rows.items():
        row["macs_a_step"] = curves[name][0][-1]["macs"] / curves[name][0][-1]["step"]
        row["share_of_macs"] = row["macs_a_step"] / rows["full"]["macs_a_step"] if name != "full" else 1.0
        row["seconds_a_step"], row["share_of_time"] = seconds[name], seconds[name] / seconds["full"]
    return {
        "budget": {"steps": steps, "macs": budget, "seconds": steps * seconds["full"]},
        "methods": rows,
        "differences": _differences(rows, settings.agent),
    }


def marks_of(steps: int, most: float) -> tuple[int, ...]:
    """When a training is judged: after the epochs' steps, and at thirds of the steps that the budget pays."""
    total = max(steps, round(most))
    return tuple(sorted({steps, *(max(1, total * i // CURVE) for i in range(1, CURVE + 1))}))


def _macs(member: members.Trial) -> float:
    """Of a step, in the mean over a long training; of AgentViT's agent an estimate, since it chooses how many."""
    cost, env = members.step_macs(member.env, member.agent), member.env
    if env.rule == "mean":
        sizes = np.array([np.searchsorted(env.sizes, env.n_patch_desired)])
    else:
        part = 840  # a multiple of all small periods
        phases = np.repeat(env.phases or (env.n_patch_desired,), part)
        sizes = np.searchsorted(env.sizes, phases)
        if env.full_every:
            sizes[env.full_every - 1 :: env.full_every] = len(env.sizes) - 1
    lessons = cost["lesson"] / cost["every"] if cost["every"] else 0.0
    return float(np.mean(np.asarray(cost["sizes"])[sizes])) + cost["choice"] + lessons


def trained(settings: AgentViTConfig, run: Path) -> list[str]:
    """The methods of which a run has every seed's training."""
    every = methods.seeds(settings)
    return [n for n in METHODS if all((methods.folder_of(run, n, seed) / training.CURVE).is_file() for seed in every)]


def curves(settings: AgentViTConfig, run: Path, names: list[str]) -> dict[str, list[list[dict[str, Any]]]]:
    """Method → seeds → judgements."""
    folders = {n: [methods.folder_of(run, n, seed) for seed in methods.seeds(settings)] for n in names}
    return {n: [training.read_curve(folder) for folder in many] for n, many in folders.items()}


def choices(settings: AgentViTConfig, splits: Splits, run: Path, name: str) -> np.ndarray:
    """bool [M, N]: what the first seed of a method chooses of the first test images."""
    one = methods.member(settings, splits, name, settings.seed)
    running = training.load(one, run, splits)
    return predict(one.env, one.agent, running.agent, running.env.mean, splits.test.images[:CHOSEN])[1]


def _seconds(timed: dict[str, Any], path: Path) -> dict[str, float]:
    """Seconds of one step of each method, all in one run, in turns: the median of the rounds, the mean of phases."""
    if path.is_file():
        return files.read_json(path)
    taken: dict[str, list[list[float]]] = {name: [] for name in timed}
    for _ in range(ROUNDS + 1):
        for name, (one, running) in timed.items():
            taken[name].append([_seconds_a_step(one, at) for at in _phases(one, running)])
    # The first round compiles.
    seconds = {name: float(np.median(values[1:], axis=0).mean()) for name, values in taken.items()}
    files.write_json(path, seconds)
    return seconds


def _phases(member: members.Trial, running: online.TrainState) -> list[online.TrainState]:
    """The training at the beginning of each of its phases: with k annealed, a step costs more in the later ones."""
    phases = max(1, len(member.env.phases))
    times = [jnp.int32(member.marks[-1] * i // phases) for i in range(phases)]
    return [dataclasses.replace(running, env=dataclasses.replace(running.env, time=time)) for time in times]


def _seconds_a_step(member: members.Trial, running: online.TrainState) -> float:
    steps = min(member.every, TIMED)  # the program of the training, with no step more
    began = time.perf_counter()
    args = member.env, member.agent, running, member.params
    jax.block_until_ready(online.update(*args, jnp.int32(steps), member.every))
    return (time.perf_counter() - began) / steps


def _row(curves: list[list[dict[str, Any]]], steps: int, budget: float, steps_in_time: float) -> dict[str, Any]:
    """What one method reaches: each number is the mean over the seeds, beside the seeds' own."""

    def read(axis: str, at: float, kind: str) -> dict[str, Any]:
        seeds = [np.interp(at, [r[axis] for r in c], [r[kind]["accuracy"] for r in c]).item() for c in curves]
        return {"mean": float(np.mean(seeds)), "seeds": seeds}

    budgets = dict(zip(BUDGETS, (("step", steps), ("macs", budget), ("step", steps_in_time)), strict=True))
    last = [curve[-1] for curve in curves]
    return {
        **{name: {kind: read(*where, kind) for kind in KINDS} for name, where in budgets.items()},
        "last": {k: {m: float(np.mean([r[k][m] for r in last])) for m in ("precision", "recall", "f1")} for k in KINDS},
        "patches": float(np.mean([row["patches"] for row in last])),
    }


def table(judgement: Mapping[str, Any]) -> str:
    """`rows` as Markdown."""
    heads, *others = rows(judgement)
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *others]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rows(judgement: Mapping[str, Any]) -> list[list[str]]:
    """What each method costs, and its accuracy in percent, mean ± standard deviation over the seeds."""

    def shown(cell: dict[str, Any]) -> str:
        spread = f" ± {100 * np.std(cell['seeds'], ddof=1):.1f}" if len(cell["seeds"]) > 1 else ""
        return f"{100 * cell['mean']:.1f}{spread}"

    heads = [f"{budget.replace('_', ' ')}, {kind}" for budget in BUDGETS for kind in KINDS]
    lines = [["method", "patches", "MACs", "time", *heads]]
    for name, row in judgement["methods"].items():
        cost = f"{row['patches']:.0f}", f"{100 * row['share_of_macs']:.1f} %", f"{100 * row['share_of_time']:.0f} %"
        lines.append([name, *cost, *(shown(row[budget][kind]) for budget in BUDGETS for kind in KINDS)])
    return lines


def _differences(rows: dict[str, Any], agent: str) -> dict[str, float]:
    """In points of accuracy, the means over the seeds."""
    against = {"full": ("all",), "random": KINDS, "chessboard": KINDS}
    return {
        f"{kind} patches, {budget.replace('_', ' ')}, over {other}": 100
        * (rows[agent][budget][kind]["mean"] - rows[other][budget][kind]["mean"])
        for other, kinds in against.items()
        if other in rows
        for budget in BUDGETS
        for kind in kinds
    }
