"""What a stream's observation is rounded to, for value iteration: the frame, the queue, the arrivals."""

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.parts import NAMES
from edgerl.tasks.early_exit.table.packing import unpack

PLACE = {name: place for place, name in enumerate(NAMES)}
_PROBABILITIES, _SLACKS, _RECENTS = 8, 4, (0.08, 0.3)


@struct.dataclass
class Bins:
    """Bounds between bins; the battery, the sun and the time of day have no part.

    Attributes:
      probability: float32 [K - 1, bins - 1], of each exit but the last, which has one bin.
      slack: float32 [bins - 1], of the frame under way.
      recent: float32 [bins - 1].
      places: of the queue.
    """

    probability: chex.Array
    slack: chex.Array
    recent: chex.Array
    places: int = struct.field(pytree_node=False)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames (none, each exit's bins, the last exit), slacks, queues (none, or how many and how old), arrivals."""
        exits, bounds = self.probability.shape
        return 2 + exits * (bounds + 1), len(self.slack) + 1, 1 + 2 * self.places, len(self.recent) + 1

    @property
    def count(self) -> int:
        """S, all states."""
        return int(np.prod(self.shape))

    def state(self, obs: chex.Array) -> chex.Array:
        """int32 [...] in [0, S) of observations [features, ...]."""
        exits, bounds = self.probability.shape
        exit = jnp.round(obs[PLACE["exit"]] * (exits + 1)).astype(jnp.int32)
        frame = jnp.where(exit > exits, 1 + exits * (bounds + 1), 0)
        for k in range(exits):
            inside = _bin(obs[PLACE["probability"]], self.probability[k])
            frame = jnp.where(exit == k + 1, 1 + k * (bounds + 1) + inside, frame)
        slack = jnp.where(exit > 0, _bin(obs[PLACE["slack"]], self.slack), 0)
        waiting = jnp.round(obs[PLACE["waiting"]] * self.places).astype(jnp.int32)
        fresh = (obs[PLACE["queue slack"]] > 0.5).astype(jnp.int32)
        queue = jnp.where(waiting > 0, 2 * waiting - 1 + fresh, 0)
        recent = _bin(obs[PLACE["recent"]], self.recent)
        _, slacks, queues, recents = self.shape
        return ((frame * slacks + slack) * queues + queue) * recents + recent


def bins_of(env: ExitStream) -> Bins:
    """Bins of the probabilities that hold equal shares of an environment's images; the others evenly."""
    probability = np.asarray(unpack(jnp.asarray(env.default_params.words)).probability).reshape(-1, env.exits)
    shares = np.arange(1, _PROBABILITIES) / _PROBABILITIES
    bounds = np.quantile(probability[:, :-1], shares, axis=0).T.astype(np.float32)
    slack = (np.arange(1, _SLACKS) / _SLACKS).astype(np.float32)
    return Bins(bounds, slack, np.array(_RECENTS, np.float32), env.places)


def _bin(x: chex.Array, bounds: chex.Array) -> chex.Array:
    found = jnp.zeros(jnp.shape(x), jnp.int32)
    for i in range(bounds.shape[0]):
        found = found + (x >= bounds[i])
    return found
