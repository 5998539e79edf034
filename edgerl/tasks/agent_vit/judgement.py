"""Every way to choose patches, judged at equal epochs, equal multiply-accumulates and equal time."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.agent_vit import inference, members, methods, training
from edgerl.tasks.agent_vit.agents import online
from edgerl.tasks.agent_vit.data import Splits
from edgerl.tasks.agent_vit.evaluate import predict
from edgerl.tasks.agent_vit.methods import BUDGETS, METHODS, AgentViTConfig
from edgerl.util import files

TIMES = "times.json"
ROUNDS, TIMED = 7, 40  # how often each method is timed, and for how many steps
CURVE = 3  # judgements on the way to equal multiply-accumulates
CHOSEN = 512  # test images whose choices are counted for the pictures
KINDS = ("all", "own")  # patches that the transformer sees when it is judged


def evaluate(settings: AgentViTConfig, splits: Splits, run: Path) -> dict[str, Any]:
    """Trains what is not there yet, times one step of each method, and reads every curve at the budgets.

    Where the learning rate falls to its end, no training can be judged on the way: equal multiply-accumulates are then
    a training of their own, and there is no equal time.
    """
    steps = methods.epochs_steps(settings, splits)
    budget = steps * _macs(methods.member(settings, splits, "full", settings.seed))
    names = [name for name in METHODS if name in {"full", "random", settings.agent, *settings.compared}]
    found: dict[str, dict[str, Any]] = {}
    timed: dict[str, Any] = {}
    for name in names:
        most = budget / _macs(methods.member(settings, splits, name, settings.seed))
        marks = {"equal_epochs": marks_of(steps, most)}
        if settings.schedule != "constant":
            marks = {"equal_epochs": (steps,), "equal_macs": (round(most),)}
        found[name] = {}
        for kind in [kind for kind in marks if kind == "equal_epochs" or kind in settings.budgets]:
            found[name][kind], member, running = _trained(settings, splits, run, name, kind, marks[kind])
            timed.setdefault(name, (member, running))
    seconds = _seconds(timed, run / TIMES)
    places = {"equal_epochs": ("step", lambda name: steps), "equal_macs": ("macs", lambda name: budget)}
    if settings.schedule == "constant":
        places["equal_time"] = ("step", lambda name: steps * seconds["full"] / seconds[name])
    kinds = [kind for kind in places if kind in settings.budgets]
    rows = {}
    for name, curves in found.items():
        first = curves["equal_epochs"]
        rows[name] = _row(first, {k: (curves.get(k, first), places[k][0], places[k][1](name)) for k in kinds})
    for name, row in rows.items():
        last = found[name]["equal_epochs"][0][-1]
        row["macs_a_step"] = last["macs"] / last["step"]
        row["share_of_macs"] = row["macs_a_step"] / rows["full"]["macs_a_step"] if name != "full" else 1.0
        row["seconds_a_step"], row["share_of_time"] = seconds[name], seconds[name] / seconds["full"]
    return {
        "budget": {"steps": steps, "macs": budget, "seconds": steps * seconds["full"]},
        "methods": rows,
        "differences": _differences(rows, settings.agent, kinds),
        **({"inference": inference.curve(settings, splits, run)} if settings.curve else {}),
    }


def _trained(
    settings: AgentViTConfig, splits: Splits, run: Path, name: str, kind: str, marks: tuple[int, ...]
) -> tuple[list[list[dict[str, Any]]], members.Trial, online.TrainState]:
    """The curves of a method's seeds, and the last seed's training."""
    curves = []
    for seed in methods.seeds(settings):
        one = methods.member(settings, splits, name, seed, marks)
        if kind != "equal_epochs" and marks[-1] != methods.epochs_steps(settings, splits):
            one = dataclasses.replace(one, name=f"{name}.{kind}")
        running, curve = training.train(training.PatchTraining(one, run, splits))
        curves.append(curve)
    return curves, one, running


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
        phases = np.repeat(env.drawn or env.phases or (env.n_patch_desired,), part)
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


def _row(first: list[list[dict[str, Any]]], places: dict[str, tuple[Any, str, float]]) -> dict[str, Any]:
    """What one method reaches: each number is the mean over the seeds, beside the seeds' own.

    Args:
      first: the curves of the seeds, at equal epochs.
      places: budget → curves of the seeds, and where on which axis they are read.
    """

    def read(curves: Any, axis: str, at: float, kind: str) -> dict[str, Any]:
        seeds = [np.interp(at, [r[axis] for r in c], [r[kind]["accuracy"] for r in c]).item() for c in curves]
        return {"mean": float(np.mean(seeds)), "seeds": seeds}

    last = [curve[-1] for curve in first]
    return {
        **{name: {kind: read(*where, kind) for kind in KINDS} for name, where in places.items()},
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

    budgets = [budget for budget in BUDGETS if budget in judgement["methods"]["full"]]
    heads = [f"{budget.replace('_', ' ')}, {kind}" for budget in budgets for kind in KINDS]
    lines = [["method", "patches", "MACs", "time", *heads]]
    for name, row in judgement["methods"].items():
        cost = f"{row['patches']:.0f}", f"{100 * row['share_of_macs']:.1f} %", f"{100 * row['share_of_time']:.0f} %"
        lines.append([name, *cost, *(shown(row[budget][kind]) for budget in budgets for kind in KINDS)])
    return lines


def _differences(rows: dict[str, Any], agent: str, budgets: list[str]) -> dict[str, float]:
    """In points of accuracy, the means over the seeds."""
    against = {"full": ("all",), "random": KINDS, "chessboard": KINDS}
    return {
        f"{kind} patches, {budget.replace('_', ' ')}, over {other}": 100
        * (rows[agent][budget][kind]["mean"] - rows[other][budget][kind]["mean"])
        for other, kinds in against.items()
        if other in rows
        for budget in budgets
        for kind in kinds
    }
