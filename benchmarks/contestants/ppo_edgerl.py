"""EdgeRL's contestant in `ppo`: the public `agents.ppo.train`."""

from importlib.metadata import version

# ruff: noqa: I001
import edgerl  # before JAX, so that JAX shows one device a core
import jax
from edgerl.agents import ppo
from edgerl.agents.config import PPOConfig
from edgerl.core import config as configuration

from worker import Numbers, Prepared, serve, timed

EPISODES = 100


def prepare(settings: Numbers) -> Prepared:
    """Settings: `config` (of `PPOConfig`)."""
    env, config = edgerl.make("CartPole-v1"), configuration.build(PPOConfig, settings["config"])
    trained = None

    def run(seed: int) -> Numbers:
        nonlocal trained
        trained, _ = jax.block_until_ready(ppo.train(env, config, jax.random.key(seed)))
        return {"seed": seed, "steps": config.total_steps}

    def check() -> Numbers:
        policy = ppo.greedy_policy(env, config, trained)
        steps = env.default_params.max_steps_in_episode
        record = edgerl.simulate(
            env, policy, jax.random.key(1_000_000), num_envs=EPISODES, num_steps=steps, trajectory=True
        ).trajectory
        return {"return": first_episodes(record.reward, record.terminated)}

    first, second = (timed(run, seed=0)["seconds"] for _ in range(2))
    check()
    return Prepared(run, max(0.0, first - second), check, {"edgerl": version("edgerl"), "jax": version("jax")})


def first_episodes(reward: jax.Array, terminated: jax.Array) -> float:
    """Mean return of each environment's first episode; arrays [steps, environments].

    All finished episodes would not do: those that end early would count more often than those that do not.
    """
    ended_before = (terminated.cumsum(axis=0) - terminated) > 0
    return float((reward * ~ended_before).sum(axis=0).mean())


if __name__ == "__main__":
    serve(prepare)
