"""rejax's contestant in `ppo`: its own `PPO.train`, jitted as in its documentation, without evaluations in between.

Returns during training, where asked for, come from a second training of the same seed, outside the time.
"""

import copy
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import rejax
from rejax.evaluate import evaluate
from worker import Numbers, Prepared, serve, timed

EPISODES = 100
POINTS = 20  # evaluations during a training


def prepare(settings: Numbers) -> Prepared:
    """Settings: `env`; `config`, of `rejax.PPO.create`; `curve` for returns during training."""
    env, config, steps = settings["env"], settings["config"], settings["config"]["total_timesteps"]

    def make(eval_freq: int, callback: Callable[..., Any]) -> rejax.PPO:
        made = rejax.PPO.create(env=env, skip_initial_evaluation=True, eval_freq=eval_freq, **copy.deepcopy(config))
        return made.replace(eval_callback=callback)

    algorithm = make(steps, lambda *_: ())
    train = jax.jit(lambda key: algorithm.train(key)[0])
    trained, trained_seed = None, 0

    @jax.jit
    def returns(state: Any, key: jax.Array) -> jax.Array:
        def greedy(obs: jax.Array, _: jax.Array) -> jax.Array:
            if algorithm.normalize_observations:
                obs = algorithm.normalize_obs(state.obs_rms_state, obs)
            return jnp.squeeze(algorithm.actor.apply(state.actor_ts.params, obs[None], method="_action_dist").mode())

        return evaluate(greedy, key, algorithm.env, algorithm.env_params, EPISODES)[1]

    def run(seed: int) -> Numbers:
        nonlocal trained, trained_seed
        trained_seed = seed
        trained = jax.block_until_ready(train(jax.random.key(seed)))
        return {"seed": seed, "steps": int(trained.global_step)}

    eval_key = jax.random.key(1_000_000)
    watched = make(steps // POINTS, lambda _, state, key: returns(state, eval_key).mean())
    during = jax.jit(lambda key: watched.train(key)[1])

    def check() -> Numbers:
        found = {"return": float(returns(trained, eval_key).mean())}
        if settings.get("curve"):
            values = during(jax.random.key(trained_seed)).tolist()
            found["curve"] = [((i + 1) / len(values), value) for i, value in enumerate(values)]
        return found

    first, second = (timed(run, seed=0)["seconds"] for _ in range(2))
    check()
    versions = {name: version(name) for name in ("rejax", "gymnax", "jax")}
    return Prepared(run, max(0.0, first - second), check, versions)


if __name__ == "__main__":
    serve(prepare)
