"""How a policy's network outputs become actions: one head for `Discrete` spaces, one for bounded boxes.

A head works on what a learner keeps of an action: the number of a discrete one, the Gaussian sample [numbers] of a
continuous one, before it is brought into the box. Everything is unbatched but `sample`, whose environments are the last
axis.
"""

import dataclasses
from typing import Protocol

import chex
import jax.numpy as jnp
import numpy as np

from edgerl.envs.actions import in_box
from edgerl.envs.spaces import Box, Discrete, Space
from edgerl.rl.distributions import categorical, normal
from edgerl.util.errors import UserError


class Head(Protocol):
    """What a learner needs to know of a space of actions.

    Attributes:
      outputs: numbers that the policy's network computes.
      deviations: how many log standard deviations the learner keeps beside the network.
      space: the box of continuous actions, or None.
    """

    @property
    def outputs(self) -> int: ...

    @property
    def deviations(self) -> int: ...

    @property
    def space(self) -> Box | None: ...

    def sample(self, key: chex.PRNGKey, parameters: chex.Array) -> tuple[chex.Array, chex.Array]:
        """(actions [..., N], log-probabilities float32 [N]) for parameters [parameters, N]; the key is consumed."""
        ...

    def log_prob_and_entropy(self, parameters: chex.Array, action: chex.Array) -> tuple[chex.Array, chex.Array]:
        """Of one action under the distribution of parameters [parameters], and that distribution's entropy."""
        ...

    def played(self, action: chex.Array) -> chex.Array:
        """The action as the environment takes it."""
        ...


@dataclasses.dataclass(frozen=True)
class CategoricalHead:
    """The parameters are the logits of the actions of a `Discrete` space."""

    outputs: int
    deviations: int = 0
    space: None = None

    def sample(self, key: chex.PRNGKey, parameters: chex.Array) -> tuple[chex.Array, chex.Array]:
        return categorical(parameters.T).sample_and_log_prob(seed=key)

    def log_prob_and_entropy(self, parameters: chex.Array, action: chex.Array) -> tuple[chex.Array, chex.Array]:
        policy = categorical(parameters)
        # distrax's `entropy` would normalise its logits, which it has normalised, once more.
        return policy.log_prob(action), -jnp.sum(jnp.exp(policy.logits) * policy.logits)

    def played(self, action: chex.Array) -> chex.Array:
        return action


@dataclasses.dataclass(frozen=True)
class GaussianHead:
    """The parameters are a mean and a log standard deviation for each number of an action, which is clipped.

    Log-probabilities and entropy are those of the unclipped number, which is what the learner keeps. Bounded by tanh
    instead, four seeds of Pendulum-v1 came to -176 to -168 in 245,760 steps, clipped to -161 to -155. And where a
    policy ends with tanh, int8 is coarsest around 0, where the action depends most on its input.
    """

    space: Box

    @property
    def outputs(self) -> int:
        return int(np.prod(self.space.shape))

    @property
    def deviations(self) -> int:
        return self.outputs

    def sample(self, key: chex.PRNGKey, parameters: chex.Array) -> tuple[chex.Array, chex.Array]:
        mean, log_std = jnp.split(parameters.T, 2, axis=-1)
        actions, log_probs = normal(mean, log_std).sample_and_log_prob(seed=key)
        return actions.T, log_probs

    def log_prob_and_entropy(self, parameters: chex.Array, action: chex.Array) -> tuple[chex.Array, chex.Array]:
        mean, log_std = jnp.split(parameters, 2)
        policy = normal(mean, log_std)
        return policy.log_prob(action), policy.entropy()

    def played(self, action: chex.Array) -> chex.Array:
        return in_box(self.space, action)


def head_of(env_id: str, space: Space) -> Head:
    """The head for a space of actions.

    Raises:
      UserError: the space has no bounds on some side.
    """
    if isinstance(space, Discrete):
        return CategoricalHead(space.n)
    if not isinstance(space, Box) or not space.bounded:
        raise UserError(
            f"{env_id} takes actions of {space}; PPO here learns Discrete actions and boxes with finite bounds: "
            "let the environment take numbers from -1 to 1, and scale them itself"
        )
    return GaussianHead(space)
