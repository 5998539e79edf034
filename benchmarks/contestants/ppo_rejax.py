"""rejax's contestant in `ppo`: its own `PPO.train`, jitted as in its documentation, without evaluations in between."""

from importlib.metadata import version

import jax
import jax.numpy as jnp
import rejax
from rejax.evaluate import evaluate
from worker import Numbers, Prepared, serve, timed

EPISODES = 100


def prepare(settings: Numbers) -> Prepared:
    """Settings: `config`, of `rejax.PPO.create`."""
    config = settings["config"]
    algorithm = rejax.PPO.create(
        env="CartPole-v1", skip_initial_evaluation=True, eval_freq=config["total_timesteps"], **config
    ).replace(eval_callback=lambda *_: ())
    train = jax.jit(lambda key: algorithm.train(key)[0])
    trained = None

    @jax.jit
    def returns(params: dict, key: jax.Array) -> jax.Array:
        def greedy(obs: jax.Array, _: jax.Array) -> jax.Array:
            return jnp.argmax(algorithm.actor.apply(params, obs[None], method="_action_dist").logits[0])

        return evaluate(greedy, key, algorithm.env, algorithm.env_params, EPISODES)[1]

    def run(seed: int) -> Numbers:
        nonlocal trained
        trained = jax.block_until_ready(train(jax.random.key(seed)))
        return {"seed": seed, "steps": int(trained.global_step)}

    def check() -> Numbers:
        return {"return": float(returns(trained.actor_ts.params, jax.random.key(1_000_000)).mean())}

    first, second = (timed(run, seed=0)["seconds"] for _ in range(2))
    check()
    versions = {name: version(name) for name in ("rejax", "gymnax", "jax")}
    return Prepared(run, max(0.0, first - second), check, versions)


if __name__ == "__main__":
    serve(prepare)
