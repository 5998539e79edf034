"""What every training in the house has in common: PPO's seeds, agents that choose image patches, a convolutional trunk.

The loop that trains them, with log, checkpoints and resumption, is `edgerl.rl.run.loop`.
"""

from typing import Any, Protocol, TypeVar

import numpy as np

State = TypeVar("State")  # a pytree of arrays: all that a training needs to go on to the same bits
Metrics = dict[str, np.ndarray]


class Learner(Protocol[State]):
    """A state that goes from update to update, and what it has learnt.

    Attributes:
      config: what decides every bit of the training, the data apart.
      METRICS: what every update tells, by name; "loss" is among them.
    """

    config: Any
    METRICS: tuple[str, ...]

    def init(self) -> State:
        """The state before the first update: the same whenever, and in whichever process, it is asked for."""
        ...

    def update(self, state: State, done: int, count: int) -> tuple[State, Metrics]:
        """`count` updates after `done` others.

        Returns:
          The state after them, which may have consumed the one before, and the `METRICS`, [count, S] each, of the S
          policies that are trained side by side.
        """
        ...

    def policy(self, state: State) -> Any:
        """What a state has learnt, in the form in which it is used from then on."""
        ...
