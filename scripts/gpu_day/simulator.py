"""Steps a second of every environment that needs no data, with random actions, from few environments to many."""

import statistics
import time

import jax

import edgerl  # before jax, so that each core becomes a device
from edgerl.util import memory
from edgerl.util.errors import UserError
from gpu_day.figures import Figures

# The ends first, so that a cut leaves the whole range, more coarsely.
SIZES = tuple(2**k for k in (12, 22, 17, 20, 14, 21, 19, 16, 18, 15, 13))
TOY_SIZES = (2**4,)
LARGEST = 4096  # bytes of an environment's state and observation, beyond which its steps are trainings of a network
STEPS = 64  # of a first run, which says how long one takes
SECONDS, REPEATS = 0.5, 3
RESERVE = 10  # seconds that a size may take, compiling included


def run(figures: Figures) -> None:
    """A row for each environment and number of environments, as far as the time goes."""
    environments = []
    for name in edgerl.registered():
        try:
            env = edgerl.make(name)
            state = memory.size_of(jax.eval_shape(env.reset, jax.random.key(0), env.default_params))
        except UserError as error:  # it needs data
            figures.add("left_out", environment=name, reason=str(error))
            continue
        if state > LARGEST:
            figures.add("left_out", environment=name, reason=f"{state} bytes each: it trains a network")
        else:
            environments.append(env)
    for size in TOY_SIZES if figures.toy else SIZES:
        for env in environments:
            if figures.left() < (0 if figures.toy else RESERVE):
                figures.add("left_out", environment=env.id, num_envs=size, reason="no time was left")
            else:
                _measure(figures, env, size)


def _measure(figures: Figures, env: edgerl.Environment, size: int) -> None:
    policy = edgerl.random_policy(env)

    def seconds(steps: int) -> float:
        began = time.perf_counter()
        edgerl.simulate(env, policy, jax.random.key(0), num_envs=size, num_steps=steps)
        return time.perf_counter() - began

    try:
        compiling = seconds(STEPS)
        steps = STEPS if figures.toy else STEPS * max(1, round(SECONDS / seconds(STEPS)))
        if steps > STEPS:
            compiling += seconds(steps)
        speeds = [size * steps / seconds(steps) for _ in range(REPEATS)]
    except (UserError, jax.errors.JaxRuntimeError) as error:  # memory, say: the next size may do
        figures.add("failed", environment=env.id, num_envs=size, reason=str(error).partition("\n")[0])
        return
    figures.add(
        "speed",
        environment=env.id,
        num_envs=size,
        num_steps=steps,
        steps_per_s=statistics.median(speeds),
        all=speeds,
        compile_s=compiling,
    )
