"""What the simulator takes for a policy."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import chex
import jax
import jax.numpy as jnp
from flax import struct

# (key, observation) -> action, unbatched and pure; with memory, (key, observation, state) -> (action, state).
Policy = Callable[..., Any]


@runtime_checkable
class Remembering(Protocol):
    """A policy with memory: `policy(key, obs, state) -> (action, state)`, unbatched and pure."""

    def initial_state(self) -> Any:
        """The state, a pytree of arrays, before an episode."""
        ...

    def __call__(self, key: chex.PRNGKey, obs: Any, state: Any) -> tuple[Any, Any]:
        """(action, state afterwards)."""
        ...


@dataclasses.dataclass(frozen=True)
class Wrapped:
    """A policy that remembers what another one does, and acts by a function (key, obs, state) -> (action, state)."""

    policy: Remembering
    act: Callable[..., tuple[Any, Any]]

    def initial_state(self) -> Any:
        """The other's."""
        return self.policy.initial_state()

    def __call__(self, key: chex.PRNGKey, obs: Any, state: Any) -> tuple[Any, Any]:
        """The function's."""
        return self.act(key, obs, state)


def states_of(policy: Any, batch: tuple[int, ...] = ()) -> Any:
    """The states of a policy before so many episodes, arrays [*batch, ...]; None of a policy without memory."""
    if not isinstance(policy, Remembering):
        return None
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (*batch, *jnp.shape(x))), policy.initial_state())


def decide(policy: Any, key: chex.PRNGKey, obs: chex.Array, state: Any) -> tuple[chex.Array, Any]:
    """(action, state afterwards) of a policy with memory or, with a state of None, without."""
    return policy(key, obs, state) if isinstance(policy, Remembering) else (policy(key, obs), state)


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
