"""EdgeRL's contestant in `sim`: the public `edgerl.simulate`, nothing else."""

from importlib.metadata import version

# ruff: noqa: I001
import edgerl  # before JAX, so that JAX shows one device a core
import jax
import jax.numpy as jnp
from edgerl.core.lanes import lane_bytes
from edgerl.core.policy import MLPPolicy
from edgerl.core.simulate import random_policy

from house import make
from network import weights
from worker import Numbers, Prepared, compiled, serve


def prepare(settings: Numbers) -> Prepared:
    """Settings: `env`, `network` (hidden sizes, or none for random actions), `activation`, `num_envs`, `num_steps`."""
    env = make(settings["env"])
    policy = random_policy(env)
    if settings["network"]:
        sizes = (*env.observation_space().shape, *settings["network"], env.action_space().n)
        kernels, biases = (tuple(jnp.asarray(x) for x in part) for part in weights(sizes))
        policy = MLPPolicy(kernels, biases, settings["activation"])
    key = jax.random.key(0)

    def run() -> Numbers:
        stats = edgerl.simulate(env, policy, key, num_envs=settings["num_envs"], num_steps=settings["num_steps"])
        return {"steps": stats.steps, "episodes": stats.episodes}

    size = lane_bytes(env, env.default_params)
    versions = {"jax": version("jax"), "backend": jax.default_backend(), "devices": jax.device_count()}
    return compiled(run, **versions, bytes_per_env=size)


if __name__ == "__main__":
    serve(prepare)
