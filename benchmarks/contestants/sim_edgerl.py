"""EdgeRL's contestant in `sim`: the public `edgerl.simulate`, nothing else."""

import dataclasses
from importlib.metadata import version

# ruff: noqa: I001
import edgerl  # before JAX, so that JAX shows one device a core
import jax
import jax.numpy as jnp
from edgerl.simulator.lanes import lane_bytes
from edgerl.envs.gru import GRUPolicy
from edgerl.envs.policy import MLPPolicy
from edgerl.simulator.simulate import random_policy
from edgerl.tasks.early_exit.env import EarlyExit, EarlyExitParams

from house import make
from network import gru_weights, weights
from worker import Numbers, Prepared, compiled, serve


class Uncounted(EarlyExit):
    """EarlyExit-v0 which does not count its states, so that the policy is not tabulated: it decides on every step."""

    def num_states(self, params: EarlyExitParams) -> None:
        """Unknown."""


def prepare(settings: Numbers) -> Prepared:
    """Settings: `env`, `network` (hidden sizes, or none), `activation`, `memory` (units of a gated recurrent unit, or
    0), `num_envs`, `num_steps`; without network and memory actions are random.

    With `every_step` the network decides on every step where else it is decided once a state.
    """
    env = make(settings["env"])
    if settings.get("every_step"):
        env = Uncounted(**{field.name: getattr(env, field.name) for field in dataclasses.fields(env)})
    policy, ends = random_policy(env), (*env.observation_space().shape, env.action_space().n)
    if settings["network"]:
        parts = weights((ends[0], *settings["network"], ends[1]))
        policy = MLPPolicy(*(tuple(map(jnp.asarray, part)) for part in parts), settings["activation"])
    if settings["memory"]:
        parts = gru_weights(ends[0], settings["memory"], ends[1])
        policy = GRUPolicy(*(tuple(map(jnp.asarray, part)) for part in parts))
    key = jax.random.key(0)

    def run() -> Numbers:
        stats = edgerl.simulate(env, policy, key, num_envs=settings["num_envs"], num_steps=settings["num_steps"])
        return {"steps": stats.steps, "episodes": stats.episodes}

    size = lane_bytes(env, env.default_params)
    versions = {"jax": version("jax"), "backend": jax.default_backend(), "devices": jax.device_count()}
    return compiled(run, **versions, bytes_per_env=size)


if __name__ == "__main__":
    serve(prepare)
