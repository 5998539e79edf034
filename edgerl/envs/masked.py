"""Environments of whose observations only some numbers are seen, so that a policy needs memory to know the state."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import chex
import jax.numpy as jnp

from edgerl.envs.environment import Environment, Params, State, Step
from edgerl.envs.spaces import Box, Space
from edgerl.util.content import ByContent
from edgerl.util.errors import UserError

_PASSED_ON = ("render", "action_names")  # of the optional members, those that do not speak of observations


@dataclasses.dataclass(frozen=True, eq=False)
class Masked(ByContent):
    """An environment without some of the numbers that it observes. States, rewards and ends are the environment's own.

    Without velocities, CartPole and Pendulum are the usual probes of a policy's memory (Meuleau et al., 1999;
    "position only" in POPGym, Morad et al., 2023). Baselines of the whole observation are not passed on.

    Attributes:
      env: the environment; it observes vectors.
      id: a name of its own, since a policy of the one cannot play the other.
      kept: which numbers of the observation are left, in this order.
      training: settings of a run in it, where there are better ones than those found by random play.
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
        space = self.env.observation_space(self.env.default_params)
        if not isinstance(space, Box) or len(space.shape) != 1:
            raise UserError(f"Masked: {self.env.id} observes {space}; expected a vector")
        if not self.kept or not all(0 <= i < space.shape[0] for i in self.kept):
            raise UserError(f"Masked: kept is {self.kept}; expected some of 0 to {space.shape[0] - 1}")

    def __getattr__(self, name: str) -> Any:
        if name in _PASSED_ON:
            return getattr(self.env, name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @property
    def default_params(self) -> Params:
        """The environment's own."""
        return self.env.default_params

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Of what is seen, where the environment has names."""
        names = getattr(self.env, "observation_names", ())
        return tuple(names[i] for i in self.kept) if names else ()

    def observation_space(self, params: Params | None = None) -> Box:
        """The bounds of what is seen."""
        space = self.env.observation_space(params)
        assert isinstance(space, Box)  # as it was made
        low, high = (bound[list(self.kept)] for bound in space.bounds())
        return Box(low, high, low.shape)  # type: ignore[arg-type]

    def action_space(self, params: Params | None = None) -> Space:
        """The environment's own."""
        return self.env.action_space(params)

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
