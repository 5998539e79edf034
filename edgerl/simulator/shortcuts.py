"""What a simulation need not compute: what is always the same, what nobody looks at, what was decided before.

* `Constants`: what an environment gives whatever happens is neither carried nor summed.
* `Unseen`: what a policy does not look at is not observed.
* `Tabulated`: a greedy policy's action in a state is always the same. Where all states can be counted and a simulation
  takes more steps than there are states, evaluating the policy once in each is less work than once a step.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from edgerl.envs.actions import as_action, outside
from edgerl.envs.deciding import LanesPolicy, Policy, Remembering, Tabulated
from edgerl.envs.environment import Environment, Params, State, Step
from edgerl.envs.forms import Forms
from edgerl.envs.parameters import spaces_of
from edgerl.envs.spaces import Space
from edgerl.simulator.xla import Trick, uses

BLOCK = 1024  # states that are decided together, so that a network's activations stay in a core's cache


@dataclasses.dataclass(frozen=True)
class Constants:
    """Of one environment, for all values of its parameters of one form.

    Attributes:
      reward: what every step pays; None where it depends on something.
      start: observation and state after a reset, with a NumPy scalar for what is always the same and else None.
    """

    reward: float | None
    start: Any


def constants_of(env: Environment, forms: Forms) -> Constants:
    """What `reset` and `step` return as a literal, by their traces."""

    def reward(key: jax.Array, params: Any, action: jax.Array) -> jax.Array:
        return env.step(key, env.reset(key, params)[1], action, params)[2]

    value = _literals(reward, forms.params, forms.action)
    return Constants(None if value is None else float(value), _literals(env.reset, forms.params))


def _literals(function: Callable[..., Any], *arguments: Any) -> Any:
    key = jax.eval_shape(lambda: jax.random.key(0))  # its form: an outer trace would keep the making of a real one
    traced, shape = jax.make_jaxpr(function, return_shape=True)(key, *arguments)
    values = [np.asarray(x.val)[()] if isinstance(x, Literal) else None for x in traced.jaxpr.outvars]
    return jax.tree.unflatten(jax.tree.structure(shape), values)


@dataclasses.dataclass(frozen=True)
class Unseen:
    """An environment of whose observations nothing is left: the compiler does not drop what a loop carries along."""

    env: Environment

    @property
    def default_params(self) -> Params:
        """The environment's own."""
        return self.env.default_params

    def action_space(self, params: Params | None = None) -> Space:
        """The environment's own."""
        return self.env.action_space(params)

    def reset(self, key: chex.PRNGKey, params: Params) -> tuple[tuple[()], State]:
        """The environment's own, without the observation."""
        return (), self.env.reset(key, params)[1]

    def step(self, key: chex.PRNGKey, state: State, action: chex.Array, params: Params) -> Step:
        """The environment's own, without the observation."""
        return (), *self.env.step(key, state, action, params)[1:]  # type: ignore[return-value]


def blank_for(obs: Any, policy: Policy | None, states: int | None) -> chex.Array | None:
    """An observation to give to a policy that does not look at it; None where the policy does.

    Args:
      obs: form of an observation.
      policy: None for one whose weights are data: it looks.
      states: not None where the policy is tabulated: it does not look either.
    """
    blind = states is not None or (
        policy is not None and not isinstance(policy, Remembering) and ignores(policy, obs, 1)
    )
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), obs) if blind else None


def ignores(policy: Policy, obs: Any, argument: int) -> bool:
    """Whether a policy does without its key (argument 0) or its observation (1), as far as its trace tells.

    Args:
      obs: shape and type of an observation.
    """
    traced = jax.make_jaxpr(policy)(jax.random.key(0), obs).jaxpr
    given = traced.invars[1:] if argument else traced.invars[:1]
    used = [x for equation in traced.eqns for x in equation.invars] + list(traced.outvars)
    return not any(x is y for x in used for y in given)


@runtime_checkable
class FiniteStates(Protocol):
    """An environment that can count its states, and say what is observed in each."""

    def num_states(self, params: Params) -> int | None:
        """S, or None where they cannot be counted: a state holds a number drawn from a continuum."""
        ...

    def state_at(self, number: chex.Array) -> State:
        """The state with a number, int32 scalar in [0, S)."""
        ...

    def number_of(self, state: State) -> chex.Array:
        """The number of a state, int32 scalar."""
        ...

    def observe(self, state: State, params: Params) -> chex.Array:
        """What is observed in a state."""
        ...


def states_to_tabulate(env: Any, policy: Policy, params: Params, steps: int) -> int | None:
    """How many states to tabulate the policy in for a simulation of so many steps; None where that does not pay.

    It pays where the policy chooses among few actions and does not use its key, and where the environment has no more
    states than there are steps.
    """
    actions = getattr(env.action_space(params), "n", None)
    if not isinstance(env, FiniteStates) or isinstance(policy, Remembering):
        return None
    count = env.num_states(params)
    if count is None or count > steps or actions is None or actions > jnp.iinfo(jnp.int8).max:
        return None
    obs = jax.eval_shape(lambda: env.observe(env.state_at(jnp.int32(0)), params))
    return count if isinstance(policy, LanesPolicy) or ignores(policy, obs, 0) else None


def tabulate(env: Any, policy: Policy, params: Params, count: int) -> Tabulated:
    """What the policy decides in the environment's `count` states."""
    space = spaces_of(env, params)[1]

    def decide(numbers: chex.Array) -> chex.Array:
        obs = jax.vmap(lambda number: env.observe(env.state_at(number), params), out_axes=-1)(numbers)
        if isinstance(policy, LanesPolicy) and uses(Trick.LANES):
            actions = policy.lanes(obs)
        else:
            actions = jax.vmap(lambda x: policy(jax.random.key(0), x), in_axes=-1)(obs)
        # -1, which every space leaves out, for what is outside: int8 would make another action of 300.
        actions = as_action(space, actions)
        return jnp.where(outside(space, actions) == 0, actions, -1).astype(jnp.int8)

    blocks = -(-count // BLOCK)
    numbers = jnp.minimum(jnp.arange(blocks * BLOCK, dtype=jnp.int32), count - 1).reshape(blocks, BLOCK)
    return Tabulated(jax.lax.map(decide, numbers).reshape(-1))
