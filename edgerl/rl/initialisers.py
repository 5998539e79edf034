"""How networks begin."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp


def orthogonal(gain: float) -> Callable[[chex.PRNGKey, tuple[int, int]], chex.Array]:
    """Kernels float32 [m, n] whose shorter side is orthonormal vectors, uniformly drawn, times `gain`.

    The same numbers as Flax's initialiser gives, to rounding, by Gram and Schmidt's way, done twice for its accuracy
    (Giraud et al., 2005). Not by LAPACK's factorisation: on a CPU with few cores, JAX 0.10 hands that to threads which
    all may be waiting for one another, when several networks begin at once, and never returns.
    """

    def init(key: chex.PRNGKey, shape: tuple[int, int]) -> chex.Array:
        short, long = min(shape), max(shape)
        drawn = jax.random.normal(key, (long, short), jnp.float32).T

        def add(i: chex.Array, found: chex.Array) -> chex.Array:
            vector = drawn[i]
            for _ in range(2):
                vector = vector - (found @ vector) @ found
            return found.at[i].set(vector / jnp.linalg.norm(vector))

        vectors = jax.lax.fori_loop(0, short, add, jnp.zeros((short, long), jnp.float32))
        return gain * (vectors if shape == (short, long) else vectors.T)

    return init
