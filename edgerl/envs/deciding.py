"""What the simulator takes for a policy."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import chex
import jax.numpy as jnp
from flax import struct

Policy = Callable[[chex.PRNGKey, chex.Array], chex.Array]  # (key, observation) -> action, unbatched and pure


@runtime_checkable
class LanesPolicy(Protocol):
    """A policy that can also decide for many lanes at once, without a key, which products of matrices gain from."""

    def lanes(self, obs: chex.Array) -> chex.Array:
        """Actions [B] for observations [..., B]."""
        ...


@struct.dataclass
class Tabulated:
    """A policy by what it decides in each state of an environment: int8 [S]."""

    actions: chex.Array

    def __call__(self, number: chex.Array) -> chex.Array:
        """int32 actions [...] in the states with these numbers."""
        return self.actions.at[number].get(mode="promise_in_bounds").astype(jnp.int32)
