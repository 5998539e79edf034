"""SBX in `ppo`: Stable-Baselines3's sibling in JAX, with the settings that its RL Zoo has for an environment."""

from importlib.metadata import version

import gymnasium
import sbx
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from worker import Numbers, Prepared, serve, timed

EPISODES = 100


def prepare(settings: Numbers) -> Prepared:
    """Settings: `env`; `config`: `num_envs`, `total_timesteps`, `rate` and `clip` (both fall to 0), more of PPO's."""
    name, config = settings["env"], dict(settings["config"])
    num_envs, steps = config.pop("num_envs"), config.pop("total_timesteps")
    rate, clip = config.pop("rate"), config.pop("clip")
    trained = None

    def run(seed: int) -> Numbers:
        nonlocal trained
        env = make_vec_env(name, n_envs=num_envs, seed=seed)
        falling = {"learning_rate": lambda left: left * rate, "clip_range": lambda left: left * clip}
        trained = sbx.PPO("MlpPolicy", env, seed=seed, **falling, **config)
        trained.learn(steps)
        return {"seed": seed, "steps": trained.num_timesteps}

    def check() -> Numbers:
        env = gymnasium.make(name)
        mean, _ = evaluate_policy(trained, env, EPISODES, deterministic=True, warn=False)
        return {"return": float(mean)}

    first, second = (timed(run, seed=0)["seconds"] for _ in range(2))
    versions = {package: version(package) for package in ("sbx-rl", "stable-baselines3", "jax")}
    return Prepared(run, max(0.0, first - second), check, versions)


if __name__ == "__main__":
    serve(prepare)
