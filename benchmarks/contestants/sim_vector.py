"""Gymnasium's and EnvPool's contestant in `sim`: a vector environment stepped from Python, which resets by itself.

The actions are drawn beforehand. Every call counts as one step of every environment; in both libraries an environment
that has ended spends a call on its reset, and that call is counted as well.
"""

from importlib.metadata import version
from typing import Any

import numpy as np
from worker import Numbers, Prepared, serve

ROWS = 64


def make(settings: Numbers) -> Any:
    """The vector environment, EnvPool's in its synchronous mode."""
    num_envs = settings["num_envs"]
    if settings["library"] == "gymnasium":
        import gymnasium

        return gymnasium.make_vec(settings["env"], num_envs=num_envs, vectorization_mode="vector_entry_point")
    import envpool

    sizes = {"num_envs": num_envs, "batch_size": num_envs, "num_threads": settings["num_threads"]}
    return envpool.make(settings["env"], env_type="gymnasium", seed=0, **sizes)


def prepare(settings: Numbers) -> Prepared:
    """Settings: `library`, `env`, `num_envs`, `num_steps`, for EnvPool `num_threads`."""
    num_envs, num_steps = settings["num_envs"], settings["num_steps"]
    env = make(settings)
    env.reset()
    actions = np.random.default_rng(0).integers(0, 2, (ROWS, num_envs)).astype(env.action_space.dtype)

    def run() -> Numbers:
        episodes = 0
        for i in range(num_steps):
            _, _, terminated, truncated, _ = env.step(actions[i % ROWS])
            episodes += np.count_nonzero(terminated | truncated)
        return {"steps": num_envs * num_steps, "episodes": int(episodes)}

    run()
    return Prepared(run, info={name: version(name) for name in (settings["library"], "numpy")})


if __name__ == "__main__":
    serve(prepare)
