"""`edgerl simulate`: many episodes of one environment, timed."""

import sys
import time
from typing import Any

import jax

import edgerl
from edgerl.envs.deciding import Policy
from edgerl.envs.environment import Environment
from edgerl.envs.forms import environment_forms
from edgerl.simulator.needs import require_memory
from edgerl.simulator.simulate import SimulationStats, default_mesh, random_policy
from edgerl.tasks import players
from edgerl.util import memory
from edgerl.util.errors import UserError

_NETWORK, _PLAIN = (64, 512), (16384, 2**24)  # environments and steps in all by which time is measured beforehand …
_TIMES = 100  # … where there are so many times as many to do
_LONG, _MOST = 60.0, 24 * 3600.0  # seconds: worth a word; not begun at all, since nothing of it is kept on the way


def simulate(env_id: str, policy_name: str, num_envs: int, num_steps: int, seed: int) -> dict[str, Any]:
    """Statistics and speed; the second of two equal calls is timed, so that compiling is left out.

    Raises:
      UserError: no such environment or policy, they do not fit, or it would take more memory or time than there is.
    """
    if policy_name == "random":
        env = edgerl.make(env_id)
        policy: Policy = random_policy(env)
    else:
        env, policy = players.of_folder(policy_name, env_id)
    forms = environment_forms("simulate", env, env.default_params)
    require_memory(forms, num_envs, num_steps, False, default_mesh())
    _require_time(env, policy, num_envs, num_steps)
    first, _ = _timed(env, policy, seed, num_envs, num_steps)
    seconds, stats = _timed(env, policy, seed, num_envs, num_steps)
    return {
        "env": env_id,
        "policy": policy_name,
        "num_envs": num_envs,
        "num_steps": num_steps,
        "devices": jax.device_count(),
        **stats.as_dict(),
        "seconds": seconds,
        "compile_seconds": max(0.0, first - seconds),
        "million_steps_per_second": stats.steps / seconds / 1e6,
        "million_episodes_per_minute": stats.episodes / seconds * 60 / 1e6,
    }


def _timed(env: Environment, policy: Policy, seed: int, envs: int, steps: int) -> tuple[float, SimulationStats]:
    """Seconds of a call, and what it saw."""
    started = time.perf_counter()
    stats = edgerl.simulate(env, policy, jax.random.key(seed), num_envs=envs, num_steps=steps)
    return time.perf_counter() - started, stats


def _require_time(env: Environment, policy: Policy, num_envs: int, num_steps: int) -> None:
    """Says how long it will take, if that is long, by a small part of it; refuses what takes days."""
    envs, steps = _NETWORK if getattr(env, "has_network", False) else _PLAIN
    envs = min(envs, num_envs)
    steps = min(steps // envs, num_steps)
    parts = num_envs * num_steps / (envs * steps)
    if parts < _TIMES:
        return
    _timed(env, policy, 0, envs, steps)
    seconds = 2 * parts * _timed(env, policy, 0, envs, steps)[0]
    total = f"{num_envs} environments times {num_steps} steps take about {memory.duration(seconds)}"
    if seconds > _MOST:
        raise UserError(f"{total} here: fewer --envs or --steps")
    if seconds > _LONG and jax.process_index() == 0:
        print(f"edgerl simulate: {total}", file=sys.stderr, flush=True)
