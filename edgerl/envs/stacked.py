"""Environments that show their last observations together: the memory of a policy that has none of its own."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.environment import Environment, Params, State, Step
from edgerl.envs.spaces import Box
from edgerl.envs.view import View
from edgerl.util.errors import UserError


@struct.dataclass
class StackedState:
    """A state, and what was seen up to it.

    Attributes:
      inner: the environment's own state.
      seen: the last observations one behind the other, the oldest first, float32 [count * features].
    """

    inner: State
    seen: chex.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Stacked(View):
    """An environment that observes its last observations one behind the other, the oldest first.

    An episode's first observation stands for those before it. As in "Human-level control through deep reinforcement
    learning" (Mnih et al., 2015), where four pictures show how a ball moves. States, rewards and ends are the
    environment's own.

    Attributes:
      env: the environment; it observes vectors.
      id: a name of its own.
      count: how many observations, 2 or more.
      training: see `View`.
    Raises:
      UserError: the environment does not observe vectors, or `count` is no such number.

    Example:
      >>> env = Stacked(edgerl.make("PositionOnlyCartPole-v1"), "FourPositions-v0", count=4)
      >>> env.observation_space().shape
      (8,)
    """

    PASSED_ON: ClassVar[tuple[str, ...]] = ("action_names",)

    env: Environment
    id: str
    count: int
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self._vectors(self.env.default_params)
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 2:
            raise UserError(f"Stacked: count is {self.count!r}; expected a whole number from 2 on")

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Each name as often as it is seen, with how many steps ago that was."""
        ago = [f", {i} steps ago" if i > 1 else ", a step ago" if i else "" for i in reversed(range(self.count))]
        return tuple(name + when for when in ago for name in self._names())

    def observation_space(self, params: Params | None = None) -> Box:
        """The bounds of the environment's own observation, as often as it is seen."""
        low, high = (np.tile(bound, self.count) for bound in self._vectors(params).bounds())
        return Box(low, high, low.shape)  # type: ignore[arg-type]

    def reset(self, key: chex.PRNGKey, params: Params | None = None) -> tuple[chex.Array, StackedState]:
        """The environment's own, its observation as often as it is seen."""
        obs, state = self.env.reset(key, params)
        seen = jnp.concatenate([obs] * self.count)
        return seen, StackedState(state, seen)

    def step(self, key: chex.PRNGKey, state: StackedState, action: chex.Array, params: Params | None = None) -> Step:
        """The environment's own, its observation behind those before."""
        obs, inner, *others = self.env.step(key, state.inner, action, params)
        seen = jnp.concatenate([state.seen[len(obs) :], obs])
        return seen, StackedState(inner, seen), *others  # type: ignore[return-value]

    @property
    def render(self) -> Callable[[StackedState], Any]:
        """The environment's own picture of a state, where it has one."""
        own = self.env.render  # type: ignore[attr-defined]
        return lambda state: own(state.inner)
