"""Environments written for gymnax 1.x, wrapped or not, as environments of this package."""

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp

from edgerl.envs.adapters import gymnax_checks, gymnax_spaces
from edgerl.envs.adapters.forked import refuse_fork
from edgerl.envs.adapters.gymnax_bare import Parts, alike, bare, parts, whole
from edgerl.envs.adapters.gymnax_clock import warn_of_time_limit
from edgerl.envs.environment import Environment, Params, State, Step
from edgerl.envs.spaces import Space


def from_gymnax(env: Any) -> Environment:
    """A gymnax 1.x environment under this package's contract: without auto-reset, its two flags never both set.

    What runs is what was given: of an environment its `step_env`, `reset_env` and `is_truncated`, of a wrapper its own
    `reset` and `step`, with its own spaces and parameters. Only the start of the next episode is taken out of the
    innermost `step`; each episode begins with the outermost `reset` instead, so that a wrapper keeps nothing from one
    episode to the next. Observations and rewards become float32 and flags bool, whatever numbers they were; parameters
    and states are gymnax's. Later changes of the attributes of `env` have no effect.

    Args:
      env: the environment, or the name by which `gymnax.make` knows it.
    Raises:
      UserError: what cannot be run so. One line says why.

    Example:
      >>> edgerl.from_gymnax("Acrobot-v1").action_space()
      Discrete(n=3)
    """
    refuse_fork("from_gymnax")
    env = gymnax_checks.instance(env)
    running = bare(env)
    with gymnax_checks.named(env):
        adapted = FromGymnax(env, running)
        gymnax_checks.check(adapted)
    warn_of_time_limit(running, adapted.id)
    return adapted


@dataclasses.dataclass(frozen=True, eq=False)
class FromGymnax:
    """What `from_gymnax` returns. Equal if the gymnax environment is the same object with the same attributes.

    Attributes:
      env: the environment as it was given.
      running: the copy of it that is run, without reset in `step`.
    """

    env: Any
    running: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FromGymnax) and self.env is other.env and alike(self.running, other.running)

    def __hash__(self) -> int:
        return hash((FromGymnax, id(self.env)))

    def __reduce__(self) -> Any:
        return _restored, (parts(self.running),)

    @property
    def id(self) -> str:
        """gymnax's name for it, or its class's."""
        name = getattr(self.running, "name", None) or getattr(self.running, "id", None)
        return name if isinstance(name, str) else type(self.running).__name__

    @property
    def default_params(self) -> Params:
        return self.running.default_params

    def observation_space(self, params: Params | None = None) -> Space:
        """gymnax's, as float32."""
        with jax.ensure_compile_time_eval():  # gymnax makes its bounds with JAX, which a trace would catch
            return gymnax_spaces.observation_space(self.running.observation_space(self._params(params)))

    def action_space(self, params: Params | None = None) -> Space:
        """gymnax's."""
        with jax.ensure_compile_time_eval():
            return gymnax_spaces.action_space(self.running.action_space(self._params(params)))

    def reset(self, key: chex.PRNGKey, params: Params | None = None) -> tuple[chex.Array, State]:
        """gymnax's `reset`."""
        obs, state = self.running.reset(key, self._params(params))
        return jnp.asarray(obs, jnp.float32), _strong(state)

    def step(self, key: chex.PRNGKey, state: State, action: chex.Array, params: Params | None = None) -> Step:
        """gymnax's `step` without its reset. Where both flags would be set, the episode is terminated."""
        result = self.running.step(key, state, action, self._params(params))
        obs, new_state, reward, terminated, truncated, info = result
        terminated, truncated = _scalar(terminated, bool), _scalar(truncated, bool)
        info = {name: value for name, value in info.items() if name not in _TOLD}
        obs, reward = jnp.asarray(obs, jnp.float32), _scalar(reward, jnp.float32)
        return obs, _like(state, new_state), reward, terminated, truncated & ~terminated, info

    def _params(self, params: Params | None) -> Params:
        return self.default_params if params is None else params


def _restored(taken: Parts) -> FromGymnax:
    env = whole(taken)
    return FromGymnax(env, bare(env))


_TOLD = ("terminated", "truncated", "final_observation")  # what gymnax's step returns once more in its info


def _scalar(x: Any, dtype: Any) -> chex.Array:
    """Of any number or array of one element."""
    x = jnp.asarray(x, dtype)
    return x.reshape(()) if x.shape else x  # a constant stays one


def _strong(state: State) -> State:
    """The state with dtypes of its own: gymnax starts its clocks with a Python 0, which would be traced twice."""
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(x)), state)


def _like(state: State, new_state: State) -> State:
    """The new state with the dtypes of the old one, from which in 64-bit mode some of gymnax's differ."""
    return jax.tree.map(lambda old, new: jnp.asarray(new, jnp.result_type(old)), state, new_state)
