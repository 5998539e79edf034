"""What a policy does not look at need not be computed."""

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp

from edgerl.envs.deciding import Policy
from edgerl.envs.environment import Environment, Params, State, Step
from edgerl.envs.spaces import Space


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
    blind = states is not None or (policy is not None and ignores(policy, obs, 1))
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
