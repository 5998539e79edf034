"""Policies that draw nothing, on environments with few states: decided once a state, then looked up.

A greedy policy's action in a state is always the same. Where all states can be counted and a simulation takes more
steps than there are states, evaluating the policy once in each of them is less work than once a step.
"""

from typing import Any, Protocol, runtime_checkable

import chex
import jax
import jax.numpy as jnp

from edgerl.envs.actions import as_action, outside
from edgerl.envs.deciding import LanesPolicy, Policy, Tabulated
from edgerl.envs.environment import Params, State
from edgerl.envs.parameters import spaces_of
from edgerl.simulator.unseen import ignores
from edgerl.simulator.xla import Trick, uses

BLOCK = 1024  # states that are decided together, so that a network's activations stay in a core's cache


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
    if not isinstance(env, FiniteStates):
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
