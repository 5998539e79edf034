"""Environments of whose observations only some numbers are seen, so that a policy needs memory to know the state."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import chex
import jax.numpy as jnp

from edgerl.envs.environment import Environment, Params, State, Step
from edgerl.envs.spaces import Box
from edgerl.envs.view import View
from edgerl.util.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class Masked(View):
    """An environment without some of the numbers that it observes. States, rewards and ends are the environment's own.

    Without velocities, CartPole and Pendulum are the usual probes of a policy's memory (Meuleau et al., 1999;
    "position only" in POPGym, Morad et al., 2023).

    Attributes:
      env: the environment; it observes vectors.
      id: a name of its own.
      kept: which numbers of the observation are left, in this order.
      training: see `View`.
    Raises:
      UserError: the environment does not observe vectors, or has no such numbers.

    Example:
      >>> env = Masked(edgerl.make("CartPole-v1"), "Blind-v0", kept=(0, 2))
      >>> env.observation_space().shape
      (2,)
    """

    env: Environment
    id: str
    kept: tuple[int, ...]
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        count = self._vectors(self.env.default_params).shape[0]
        if not self.kept or not all(0 <= i < count for i in self.kept):
            raise UserError(f"Masked: kept is {self.kept}; expected some of 0 to {count - 1}")

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Of what is seen, where the environment has names."""
        names = self._names()
        return tuple(names[i] for i in self.kept) if names else ()

    def observation_space(self, params: Params | None = None) -> Box:
        """The bounds of what is seen."""
        low, high = (bound[list(self.kept)] for bound in self._vectors(params).bounds())
        return Box(low, high, low.shape)  # type: ignore[arg-type]

    def reset(self, key: chex.PRNGKey, params: Params | None = None) -> tuple[chex.Array, State]:
        """The environment's own, with what is seen of its observation."""
        obs, state = self.env.reset(key, params)
        return self._seen(obs), state

    def step(self, key: chex.PRNGKey, state: State, action: chex.Array, params: Params | None = None) -> Step:
        """The environment's own, with what is seen of its observation."""
        obs, *others = self.env.step(key, state, action, params)
        return self._seen(obs), *others  # type: ignore[return-value]

    def _seen(self, obs: chex.Array) -> chex.Array:
        return jnp.stack([obs[i] for i in self.kept])  # slices, where an index array would be a slow gather
