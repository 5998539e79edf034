"""Steps a second of PPO on CartPole-v1: many seeds in one call, two widths; and one seed with a large batch."""

import statistics
import time

import jax
import numpy as np

import edgerl  # before jax, so that each core becomes a device
from edgerl.rl.config import PPOConfig
from edgerl.rl.run import seeds
from edgerl.tasks.registry import task_of
from gpu_day.figures import Figures

SEEDS, WIDTHS = (1, 256, 4096), (64, 256)
TOY_SEEDS, TOY_WIDTHS = (1, 3), (4,)
LARGE = {"num_envs": 4096, "num_steps": 32, "num_minibatches": 4, "num_updates": 8}
REPEATS = 3
RESERVE = 30  # seconds that a row may take, compiling included


def run(figures: Figures) -> None:
    """A row for each, the important ones first."""
    config = task_of("cartpole").settings().ppo
    large = config.replace(**LARGE)
    if figures.toy:
        config = config.replace(num_envs=8, num_steps=8, num_updates=2, num_minibatches=2)
        large = config.replace(num_envs=16)
    for count in TOY_SEEDS if figures.toy else SEEDS:
        for width in TOY_WIDTHS if figures.toy else WIDTHS:
            _measure(figures, f"{count} seeds", config.replace(hidden_sizes=(width, width)), count)
    for width in TOY_WIDTHS if figures.toy else WIDTHS:
        _measure(figures, "one seed, large batch", large.replace(hidden_sizes=(width, width)), 1)


def _measure(figures: Figures, name: str, config: PPOConfig, count: int) -> None:
    what = {"what": name, "hidden_sizes": list(config.hidden_sizes), "seeds": count}
    if figures.left() < (0 if figures.toy else RESERVE):
        figures.add("left_out", **what, reason="no time was left")
        return
    env = edgerl.make("CartPole-v1")

    def seconds(key: int) -> tuple[float, dict[str, jax.Array]]:
        began = time.perf_counter()
        trained = seeds.train(env, config, jax.random.split(jax.random.key(key), count))
        jax.block_until_ready(trained)
        return time.perf_counter() - began, trained[1]

    try:
        compiling, _ = seconds(0)
        taken = [seconds(key) for key in range(1, REPEATS + 1)]
    except jax.errors.JaxRuntimeError as error:  # memory, say
        figures.add("failed", **what, reason=str(error).partition("\n")[0])
        return
    steps = count * config.total_steps
    returns = np.asarray(taken[-1][1]["episode_return"])[:, -1]
    figures.add(
        "speed",
        **what,
        num_envs=config.num_envs,
        num_steps=config.num_steps,
        num_updates=config.num_updates,
        seconds=statistics.median(time for time, _ in taken),
        steps_per_s=steps / statistics.median(time for time, _ in taken),
        compile_s=compiling,
        last_return=float(np.nanmean(returns)) if np.isfinite(returns).any() else None,
    )
