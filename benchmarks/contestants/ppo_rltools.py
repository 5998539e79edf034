"""RLtools in `ppo`: its Python interface compiles its C++ for one environment, which is given in C++ too.

Everything is its own: the training loop, which runs without evaluations, and the policy's action. Gymnasium, which
EdgeRL has no part in, plays the evaluation.
"""

import functools
import json
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
from worker import AbsentError, Numbers, Prepared, serve

ENVIRONMENTS = Path(__file__).resolve().parents[1] / "rltools_environments"
EPISODES = 100
POINTS = 10  # evaluations during a training


@functools.cache
def compiled(env: str, algorithm: str, config: str) -> tuple[Any, float]:
    """Its module for an environment and settings (JSON), whose sizes are fixed in C++; and the seconds that took."""
    import rltools

    if not any(shutil.which(compiler) for compiler in ("g++", "clang++")):
        raise AbsentError("needs a C++ compiler: neither 'g++' nor 'clang++' is on the path")
    played = gymnasium.make(env)
    place = {
        "path": str(ENVIRONMENTS / env),
        "action_dim": played.action_space.shape[0],
        "observation_dim": played.observation_space.shape[0],
    }
    name, start = f"module_{compiled.cache_info().misses}", time.perf_counter()
    settings = json.loads(config)
    module = getattr(rltools, algorithm)(place, enable_evaluation=False, interface_name=name, **settings)
    return module, time.perf_counter() - start


def evaluated(env: str, state: Any) -> float:
    """Mean return of the greedy policy, which acts in [-1, 1]."""
    rescaled = gymnasium.wrappers.RescaleAction(gymnasium.make(env), -1.0, 1.0)
    played = gymnasium.wrappers.ClipAction(rescaled)
    total = 0.0
    for episode in range(EPISODES):
        obs, _ = played.reset(seed=None if episode else 1_000_000)
        ended = False
        while not ended:
            obs, reward, terminated, truncated, _ = played.step(state.action(obs))
            total, ended = total + float(reward), terminated or truncated
    return total / EPISODES


def prepare(settings: Numbers) -> Prepared:
    """Settings: `env`; `algorithm`, SAC or PPO, with its `config`; `steps` of its loop; `curve` for returns meanwhile.

    A step of SAC's loop is one of the environment, one of PPO's a whole update.
    """
    env, algorithm, steps, config = settings["env"], settings["algorithm"], settings["steps"], settings["config"]
    module, seconds = compiled(env, algorithm, json.dumps(config))
    each = config["N_ENVIRONMENTS"] * config["ON_POLICY_RUNNER_STEPS_PER_ENV"] if algorithm == "PPO" else 1
    trained, trained_seed = None, 0

    def run(seed: int) -> Numbers:
        nonlocal trained, trained_seed
        trained, trained_seed = module.State(seed), seed
        for _ in range(steps):
            trained.step()
        return {"seed": seed, "steps": steps * each}

    def check() -> Numbers:
        found: Numbers = {"return": evaluated(env, trained)}
        if settings.get("curve"):
            again, found["curve"] = module.State(trained_seed), []
            for i in range(steps):
                again.step()
                if (i + 1) % (steps // POINTS) == 0:
                    found["curve"].append(((i + 1) / steps, evaluated(env, again)))
        return found

    run(seed=0)
    versions = {name: version(name) for name in ("rltools", "mkl", "gymnasium")}
    return Prepared(run, seconds, check, versions)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:  # RLtools keeps what it compiled; here, no longer than the process
        tempfile.tempdir = folder
        serve(prepare)
