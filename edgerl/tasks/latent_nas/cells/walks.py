"""Where a policy's walks end."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.environment import Environment
from edgerl.tasks.latent_nas.cells.autoencoder import LatentSpace, place_of

STARTS = 1000


def final_cells(
    env: Environment, policy: Any, latent: LatentSpace, key: chex.PRNGKey, count: int = STARTS
) -> np.ndarray:
    """int64 [count]: the cell, by its number, where each walk from a fresh start stops or is cut off."""
    params = env.default_params

    def walk(key: chex.PRNGKey) -> chex.Array:
        start_key, key = jax.random.split(key)
        obs, state = env.reset(start_key, params)

        def step(carry: tuple[Any, ...], key: chex.PRNGKey) -> tuple[tuple[Any, ...], None]:
            obs, state, alive = carry
            new_obs, new, _, terminated, truncated, _ = env.step(key, state, policy(key, obs), params)
            obs, state = jax.tree.map(lambda a, b: jnp.where(alive, a, b), (new_obs, new), (obs, state))
            return (obs, state, alive & ~(terminated | truncated)), None

        keys = jax.random.split(key, int(params.max_steps_in_episode))
        (_, state, _), _ = jax.lax.scan(step, (obs, state, jnp.bool_(True)), keys)
        return place_of(state.codes)

    places = jax.jit(jax.vmap(walk))(jax.random.split(key, count))
    return np.asarray(latent.decoded)[np.asarray(places)].astype(np.int64)
