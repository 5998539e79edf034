"""`edgerl simulate`: many episodes of one environment, timed."""

import time
from pathlib import Path
from typing import Any

import jax

import edgerl
from edgerl import deploy
from edgerl.core.deciding import Policy
from edgerl.core.errors import UserError
from edgerl.core.policy import load_policy
from edgerl.core.simulate import random_policy


def simulate(env_id: str, policy_name: str, num_envs: int, num_steps: int, seed: int) -> dict[str, Any]:
    """Statistics and speed; the second of two equal calls is timed, so that compiling is left out."""
    env = edgerl.make(env_id)
    policy = random_policy(env) if policy_name == "random" else _policy_of(policy_name, env)
    started = time.perf_counter()
    edgerl.simulate(env, policy, jax.random.key(seed), num_envs=num_envs, num_steps=num_steps)
    first = time.perf_counter() - started
    started = time.perf_counter()
    stats = edgerl.simulate(env, policy, jax.random.key(seed), num_envs=num_envs, num_steps=num_steps)
    seconds = time.perf_counter() - started
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


def _policy_of(folder: str, env: edgerl.Environment) -> Policy:
    """The float policy of a run, or the int8 policy of an export in the device's arithmetic."""
    path, deployed = Path(folder) / "policy.npz", Path(folder) / "policy_int8.npz"
    if not path.is_file():
        raise UserError(f"--policy {folder}: expected 'random', a finished run or an export; {path} does not exist")
    policy = deploy.load(deployed) if deployed.is_file() else load_policy(path)
    shape = env.observation_space().shape
    if shape != policy.sizes[:1]:
        raise UserError(f"--policy {folder}: takes {policy.sizes[0]} features, but {env.id} gives {shape}")
    return policy
