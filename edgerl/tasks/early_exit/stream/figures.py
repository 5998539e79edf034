"""Pictures of an exit-stream run."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.deciding import Policy
from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.parts import StreamState
from edgerl.tasks.early_exit.stream.power import light
from edgerl.tasks.generic.figures import learning_curve
from edgerl.tasks.run import Run
from edgerl.util.errors import UserError
from edgerl.util.plots import AMBER, BLUE, GREEN, GREY, ORANGE, save_figure
from edgerl.util.plots import axes as axes_of

_BINS = 96  # of a day: a quarter of an hour each
_BURN = 30_000  # decisions before the day that is drawn: its charge is then the policy's own work


def draw(run: Run, env: ExitStream, data: str | None) -> list[Path]:
    """Writes them into RUN/figures."""
    if data is not None:
        raise UserError(f"--data: the figures of {run.task.name} need no data")
    folder, made = run.folder / "figures", []
    if not run.imported:
        steps, returns = run.learning_curve()
        made.append(
            learning_curve(folder / "learning_curve.png", steps, returns, "PPO on ExitStream-v0, rewards shaped")
        )
    seen = one_day(env, run.policy, run.key(1004))
    return [*made, day(folder / "day.png", seen, env)]


def one_day(env: ExitStream, policy: Policy, key: jax.Array) -> dict[str, np.ndarray]:
    """What happens at each decision of a day from midnight to midnight, arrays [T]: `clock` in seconds, and more."""
    params = dataclasses.replace(env.default_params, horizon_s=np.float32(np.inf))

    def step(carry: tuple[StreamState, jax.Array], key: jax.Array) -> Any:
        state, obs = carry
        act_key, step_key = jax.random.split(key)
        after_obs, after, _, _, _, info = env.step(step_key, state, policy(act_key, obs), params)
        waiting = sum((age < jnp.inf).astype(jnp.int32) for age in after.ages)
        sun = params.supply.panel_w * light(params.supply, after.clock, after.sky)
        return (after, after_obs), {
            **info,
            "clock": after.clock,
            "battery": after.battery,
            "waiting": waiting,
            "sun": sun,
        }

    start_key, key = jax.random.split(key)
    run = jax.jit(lambda: jax.lax.scan(step, env.reset(start_key, params)[::-1], jax.random.split(key, 4 * _BURN))[1])
    seen = {name: np.asarray(x) for name, x in run().items()}
    midnights = np.flatnonzero(np.diff(seen["clock"]) < 0) + 1
    first = midnights[np.searchsorted(midnights, _BURN)] if (midnights >= _BURN).any() else 0
    later = midnights[midnights > first]
    last = later[0] if len(later) else len(seen["clock"])
    return {name: x[first:last] for name, x in seen.items()}


def day(path: Path, seen: dict[str, np.ndarray], env: ExitStream) -> Path:
    """Battery and sun, the queue, and what becomes of the frames, over a day of one device."""
    import matplotlib

    hours = seen["clock"] / 3600
    edges = np.linspace(0, env.default_params.supply.day_s / 3600, _BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    figure, (top, between, below) = axes_of(1, (9, 7.5), rows=3, sharex=True)
    top.plot(hours, 100 * seen["battery"] / env.default_params.supply.capacity_j, color=GREEN, label="battery")
    top.set(ylabel="battery (%)", ylim=(0, 105), title="A day of one device, from midnight to midnight")
    right = top.twinx()
    right.plot(hours, 1e3 * seen["sun"], color=AMBER, linewidth=1.2)
    right.set_ylabel("harvest (mW)", color=AMBER)
    binned = np.clip(np.digitize(hours, edges) - 1, 0, _BINS - 1)
    longest = np.zeros(_BINS)
    np.maximum.at(longest, binned, seen["waiting"])
    between.bar(middle, longest, width=edges[1], color=BLUE)
    between.set(ylabel="longest queue (frames)")
    colours = matplotlib.colormaps["viridis_r"](np.linspace(0.1, 0.85, env.exits))
    base = np.zeros(_BINS)
    for exit, colour in enumerate(colours):
        count = np.bincount(binned[seen["exit"] == exit], minlength=_BINS)
        below.bar(middle, count, width=edges[1], bottom=base, color=colour, label=f"answered at exit {exit + 1}")
        base = base + count
    lost = np.bincount(binned, weights=seen["lost"], minlength=_BINS)
    below.bar(middle, lost, width=edges[1], bottom=base, color=ORANGE, label="lost")
    below.set(xlabel="hour of the day", ylabel="frames in a quarter of an hour", xlim=(0, edges[-1]))
    below.legend(ncols=3, fontsize=8)
    top.grid(color=GREY, alpha=0.2)
    return save_figure(figure, path)
