"""What each trick of `edgerl.simulator.xla` is worth: the time without it over the time with it, all others being on.

    python -m benchmarks.tricks [--only one_loop two_steps] [--work "CartPole-v1 random"] [--repeats 9]

With and without take turns in one process, so that a noisy neighbour meets both. Printed are the median of the ratios
of neighbours with the quartiles, and the same of one fresh start each, which is mostly tracing and compiling.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import edgerl  # before jax, so that each core becomes a device

# isort: split
import jax
import jaxlib
import numpy as np

from edgerl.envs.policy import MLPPolicy
from edgerl.rl.config import PPOConfig
from edgerl.rl.run import seeds
from edgerl.simulator import simulate as simulating
from edgerl.simulator.simulate import random_policy, simulate
from edgerl.simulator.xla import Trick, plain_xla

Work = Callable[[int], object]  # plays or trains for so many steps or updates
KEY = jax.random.key(0)


def simulation(id: str, num_envs: int, hidden: tuple[int, ...] = ()) -> Work:
    """Random play, or a network that decides on every step."""
    env = edgerl.make(id)
    policy = network(hidden) if hidden else random_policy(env)
    return lambda steps: simulate(env, policy, KEY, num_envs=num_envs, num_steps=steps)


def network(hidden: tuple[int, ...]) -> MLPPolicy:
    """For CartPole, with random weights."""
    sizes, draw = (4, *hidden, 2), np.random.default_rng(0)
    kernels = tuple(draw.normal(size=pair) / pair[0] ** 0.5 for pair in itertools.pairwise(sizes))
    return MLPPolicy(kernels, tuple(np.zeros(n) for n in sizes[1:]), "tanh")


def training(count: int) -> Work:
    """Seeds of PPO on CartPole-v1 as `edgerl train` trains them."""
    env, config, mesh = edgerl.make("CartPole-v1"), PPOConfig(), seeds.seed_mesh(count)

    def work(updates: int) -> object:
        keys = seeds.shard(jax.random.split(KEY, count), count, mesh)
        states = seeds.start(env, config, keys, env.default_params)
        most = 1000
        return jax.block_until_ready(
            seeds.update(env, config, states, env.default_params, np.int32(updates), most, mesh)
        )

    return work


WORKS: dict[str, tuple[Callable[[], Work], int]] = {
    "CartPole-v1 random": (lambda: simulation("CartPole-v1", 2**12), 20_000),
    "CartPole-v1 4-64-64-2": (lambda: simulation("CartPole-v1", 2**12, (64, 64)), 1_000),
    "EarlyExit-v0 random": (lambda: simulation("EarlyExit-v0", 2**12), 20_000),
    "PPO on CartPole-v1, 4 seeds": (lambda: training(4), 20),
}


def seconds(work: Work, amount: int, context: AbstractContextManager[None]) -> float:
    """Of one call."""
    began = time.perf_counter()
    with context:
        work(amount)
    return time.perf_counter() - began


def fresh(work: Work, amount: int, context: AbstractContextManager[None]) -> float:
    """Seconds of a call for which everything is compiled anew."""
    jax.clear_caches()
    simulating._program.cache_clear()
    return seconds(work, amount, context)


def measure(work: Work, amount: int, trick: Trick, repeats: int) -> tuple[list[float], float]:
    """Ratios of neighbouring calls, and that of two fresh starts."""
    seconds(work, amount, nullcontext())  # what is done once in a process
    compiling = fresh(work, amount, plain_xla(trick)) / fresh(work, amount, nullcontext())
    seconds(work, amount, plain_xla(trick))
    pairs = [(seconds(work, amount, plain_xla(trick)), seconds(work, amount, nullcontext())) for _ in range(repeats)]
    return [without / usual for without, usual in pairs], compiling


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(Trick), default=list(Trick))
    parser.add_argument("--work", nargs="+", choices=list(WORKS), default=list(WORKS))
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)
    print(f"jaxlib {jaxlib.__version__}, {jax.device_count()} devices of kind {jax.devices()[0].platform}", flush=True)
    for name in arguments.work:
        make, amount = WORKS[name]
        for trick in map(Trick, arguments.only):
            ratios, start = measure(make(), amount, trick, arguments.repeats)
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(f"{name:28} {trick:14} {middle:5.2f} ({low:.2f} to {high:.2f})   start {start:5.2f}", flush=True)


if __name__ == "__main__":
    main()
