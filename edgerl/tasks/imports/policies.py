"""From a network's layers to a policy of this package, for the spaces of an environment."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from edgerl.envs.environment import Environment
from edgerl.envs.policy import Activation, MLPPolicy
from edgerl.envs.spaces import Box, Discrete
from edgerl.rl.heads import head_of
from edgerl.tasks.imports.networks import Layer
from edgerl.tasks.imports.normalisers import Normaliser
from edgerl.util.errors import UserError


@dataclasses.dataclass(frozen=True)
class Spaces:
    """What a policy of an environment reads and puts out.

    Attributes:
      observations: the box of vectors that is observed.
      actions: what the policy decides: `Discrete`, or a box with finite bounds.
    """

    observations: Box
    actions: Discrete | Box

    @classmethod
    def of(cls, env: Environment) -> "Spaces":
        """Of an environment that observes vectors.

        Raises:
          UserError: actions without bounds.
        """
        actions, observations = env.action_space(), env.observation_space()
        head_of(env.id, actions)  # or the error
        assert isinstance(observations, Box)
        assert isinstance(actions, Discrete | Box)
        return cls(observations, actions)

    @property
    def features(self) -> int:
        return self.observations.shape[0]

    @property
    def outputs(self) -> int:
        """An output for each discrete action, or for each number of a continuous one."""
        return self.actions.n if isinstance(self.actions, Discrete) else math.prod(self.actions.shape)


def made(
    layers: Sequence[Layer], activation: Activation, spaces: Spaces, normaliser: Normaliser | None, where: str
) -> MLPPolicy:
    """The policy that decides as the network does.

    Outputs for a box are its actions in the environment's units, clipped to it, as Stable-Baselines3 has them.

    Args:
      layers: from the observation to the outputs, an activation after each but the last.
      where: the file's name in an error.
    Raises:
      UserError: the network reads or puts out another number of values, or a weight overflows float32.
    """
    chain = list(layers)
    sizes = (chain[0].kernel.shape[0], chain[-1].kernel.shape[1])
    if sizes != (spaces.features, spaces.outputs):
        raise UserError(
            f"{where} reads {sizes[0]} features and puts out {sizes[1]} numbers; the environment has "
            f"{spaces.features} and takes {spaces.outputs}: it was trained in another one"
        )
    space = spaces.actions if isinstance(spaces.actions, Box) else None
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is told below
        if normaliser is not None:
            chain[0] = normaliser.folded(chain[0])
        if space is not None:
            chain[-1] = _in_halves(chain[-1], space)
    kernels, biases = tuple(_float32(x.kernel, where) for x in chain), tuple(_float32(x.bias, where) for x in chain)
    return MLPPolicy(kernels, biases, activation, space)


def _in_halves(last: Layer, space: Box) -> Layer:
    """The last layer, whose outputs are in the environment's units, with -1 and 1 for the box's sides instead."""
    low, high = (np.asarray(bound, np.float64).reshape(-1) for bound in space.bounds())
    half = np.where(high > low, high / 2 - low / 2, 1.0)
    middle = low / 2 + high / 2
    return dataclasses.replace(last, kernel=last.kernel / half, bias=(last.bias - middle) / half)


def _float32(values: np.ndarray, where: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        made = values.astype(np.float32)
    if not np.isfinite(made).all():
        raise UserError(f"{where}: a weight is too large for float32, once observations and actions are scaled")
    return made
