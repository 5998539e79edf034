"""The environment contract: a few pure, unbatched functions. gymnax 1.x's signature, without reset inside `step`."""

import dataclasses
from typing import Any, Protocol, runtime_checkable

import chex
import jax
import jax.numpy as jnp

from edgerl.envs.spaces import Space

Params = Any  # a frozen pytree of numbers; every field may be batched by vmap
State = Any  # a pytree of arrays
Info = dict[str, chex.Array]
Step = tuple[chex.Array, State, chex.Array, chex.Array, chex.Array, Info]
"""What `step` returns: (observation, state, reward, terminated, truncated, info).

The observation has the observation space's shape and dtype, the state is any pytree of arrays, the reward is a float32
scalar, the two flags are bool scalars, and `info` is a dictionary of arrays.

Example:
  >>> env = edgerl.make("Pendulum-v1")
  >>> obs, state = env.reset(jax.random.key(0))
  >>> made = env.step(jax.random.key(1), state, jnp.array([0.5]))  # an `edgerl.Step`
  >>> [str(part.dtype) for part in made[2:5]]
  ['float32', 'bool', 'bool']
"""


@runtime_checkable
class Environment(Protocol):
    """What the simulator, the learners and the adapters rely on. Unbatched: the caller vmaps.

    Hashable: compiled programs are kept by environment.

    Example:
      >>> env = edgerl.make("CartPole-v1")
      >>> obs, state = env.reset(jax.random.key(0))
      >>> obs, state, reward, terminated, truncated, info = env.step(jax.random.key(1), state, jnp.int32(1))
      >>> obs.shape, float(reward), bool(terminated), bool(truncated)
      ((4,), 1.0, False, False)
    """

    def __hash__(self) -> int: ...

    @property
    def id(self) -> str:
        """Versioned name, for example "CartPole-v1"."""
        ...

    @property
    def default_params(self) -> Params:
        """The parameters of the published task."""
        ...

    def reset(self, key: chex.PRNGKey, params: Params | None = None) -> tuple[chex.Array, State]:
        """Starts an episode: (observation, state). The key is consumed.

        Args:
          key: any kind of JAX key.
          params: `default_params` unless given.
        """
        ...

    def step(self, key: chex.PRNGKey, state: State, action: chex.Array, params: Params | None = None) -> Step:
        """One transition, without reset: (observation, state, reward, terminated, truncated, info).

        `terminated`: the task ended, the future is worth nothing. `truncated`: only the clock ran out. Never both.

        Args:
          key: any kind of JAX key; it is consumed.
          state: what `reset` or the step before returned.
          action: an element of the action space.
          params: `default_params` unless given.
        """
        ...

    def observation_space(self, params: Params | None = None) -> Space:
        """What every observation is an element of."""
        ...

    def action_space(self, params: Params | None = None) -> Space:
        """What every action must be an element of."""
        ...


def take_step(env: Environment, key: chex.PRNGKey, state: State, action: chex.Array, params: Params) -> Step:
    """`env.step` with a reward of float32 and flags that are arrays, whatever numbers the environment's are."""
    obs, state, reward, terminated, truncated, info = env.step(key, state, action, params)
    return obs, state, jnp.asarray(reward, jnp.float32), jnp.asarray(terminated), jnp.asarray(truncated), info


@dataclasses.dataclass(frozen=True)
class AutoReset:
    """An environment whose `step` starts the next episode by itself, as gymnax 1.x's `step` does.

    When an episode ends, the observation and the state returned are those of a fresh episode, and the last
    observation of the old one is in `info["final_observation"]`.

    Attributes:
      env: the environment, whose own `step` does not reset.

    Example:
      >>> env = edgerl.AutoReset(edgerl.make("CartPole-v1"))
      >>> obs, state = env.reset(jax.random.key(0))
      >>> obs, state, *_, info = env.step(jax.random.key(1), state, jnp.int32(0))
      >>> info["final_observation"].shape
      (4,)
    """

    env: Environment

    @property
    def id(self) -> str:
        return self.env.id

    @property
    def default_params(self) -> Params:
        return self.env.default_params

    @property
    def num_actions(self) -> int:
        """How many discrete actions there are (gymnax's name for it)."""
        return self.env.action_space(self.default_params).n  # type: ignore[attr-defined]

    def observation_space(self, params: Params | None = None) -> Space:
        return self.env.observation_space(params)

    def action_space(self, params: Params | None = None) -> Space:
        return self.env.action_space(params)

    def reset(self, key: chex.PRNGKey, params: Params | None = None) -> tuple[chex.Array, State]:
        """As the environment's own."""
        return self.env.reset(key, params)

    def step(self, key: chex.PRNGKey, state: State, action: chex.Array, params: Params | None = None) -> Step:
        """As the environment's own, then a reset where the episode ended. The key is consumed."""
        step_key, reset_key = jax.random.split(key)
        last, state, reward, terminated, truncated, info = self.env.step(step_key, state, action, params)
        first, fresh = self.env.reset(reset_key, params)
        ended = terminated | truncated
        state, obs = jax.tree.map(lambda new, old: jnp.where(ended, new, old), (fresh, first), (state, last))
        info = {**info, "terminated": terminated, "truncated": truncated, "final_observation": last}
        return obs, state, reward, terminated, truncated, info
