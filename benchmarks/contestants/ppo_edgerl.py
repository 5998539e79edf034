"""EdgeRL's contestant in `ppo`: the public `ppo.train`, with what `edgerl train` starts from."""

import dataclasses
from importlib.metadata import version

# ruff: noqa: I001
import edgerl  # before JAX, so that JAX shows one device a core
import jax
from edgerl.rl import ppo
from edgerl.rl.run import seeds
from edgerl.rl.evaluation import play_episodes
from edgerl.tasks.generic.settings import horizon
from edgerl.tasks.registry import task_of

from worker import Numbers, Prepared, serve, timed

EPISODES = 100


def prepare(settings: Numbers) -> Prepared:
    """Settings: `train`, what `edgerl train` is told; `num_updates`, if not its own; `seeds`, if many; `curve`."""
    task = task_of(settings["train"])
    fewer = [f"ppo.num_updates={settings['num_updates']}"] if "num_updates" in settings else []
    started_from = task.settings(overrides=fewer)
    env, config = task.environment(started_from), started_from.ppo
    count = settings.get("seeds", 1)
    trained, trained_seed = None, 0

    def run(seed: int) -> Numbers:
        nonlocal trained, trained_seed
        if count == 1:
            trained, _ = ppo.train(env, config, jax.random.key(seed))
        else:
            trained, _ = seeds.train(env, config, jax.random.split(jax.random.key(seed), count))
        jax.block_until_ready(trained)
        trained_seed = seed
        return {"seed": seed, "steps": count * config.total_steps}

    @jax.jit
    def returns(policies: edgerl.MLPPolicy) -> jax.Array:
        """Of policies [P]."""
        key, steps = jax.random.key(1_000_000), horizon(env)
        return jax.lax.map(
            lambda policy: play_episodes(env, policy, key, env.default_params, EPISODES, steps).returns.mean(), policies
        )

    @jax.jit
    def policies_during(key: jax.Array) -> edgerl.MLPPolicy:
        """After each update [num_updates]."""

        def step(state: ppo.TrainState, _: None) -> tuple[ppo.TrainState, edgerl.MLPPolicy]:
            state, _ = ppo.update(env, config, state)
            return state, ppo.greedy_policy(env, config, state)

        return jax.lax.scan(step, ppo.init(env, config, key), None, config.num_updates)[1]

    def check() -> Numbers:
        states = trained if count > 1 else jax.tree.map(lambda x: x[None], trained)
        found = returns(jax.vmap(lambda state: ppo.greedy_policy(env, config, state))(states)).tolist()
        if not settings.get("curve"):
            return {"return": found if count > 1 else found[0]}
        during = returns(policies_during(jax.random.key(trained_seed))).tolist()
        shares = [(i + 1) / len(during) for i in range(len(during))]
        return {"return": found[0], "curve": list(zip(shares, during, strict=True))}

    first, second = (timed(run, seed=0)["seconds"] for _ in range(2))
    check()
    versions = {name: version(name) for name in ("edgerl", "jax")}
    return Prepared(run, max(0.0, first - second), check, {**versions, "config": dataclasses.asdict(config)})


if __name__ == "__main__":
    serve(prepare)
