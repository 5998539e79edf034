"""Rules that a person would write: fixed exits, thresholds, schedules by battery and queue."""

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.tasks.early_exit.stream.env import at
from edgerl.tasks.early_exit.stream.parts import CONTINUE, NAMES, NEWEST, OLDEST, SLEEP

_PLACE = {name: place for place, name in enumerate(NAMES)}
FEATURES = ("1", "battery", "battery above half", "queue", "queue above a quarter")
# Columns of `weights` that a family may use: a fixed threshold, and what moves it.
FAMILIES = {
    "static thresholds": (0,),
    "schedule by battery": (0, 1, 2),
    "schedule by queue": (0, 3, 4),
    "schedule by battery and queue": (0, 1, 2, 3, 4),
}


@struct.dataclass
class Rule:
    """Answers at the first exit whose probability reaches a threshold that may move with battery and queue.

    Attributes:
      weights: float32 [K - 1, 5, ...], the threshold of each exit but the last: its products with `FEATURES`.
      newest: float32, whether the newest (above 0.5) or the oldest frame is taken.
      awake: float32, arrivals lately (`recent`) from which the device waits awake where no frame is there.
      reserve: float32, share of the battery below which no frame is begun.
    """

    weights: chex.Array
    newest: chex.Array
    awake: chex.Array
    reserve: chex.Array

    def __call__(self, key: chex.PRNGKey | None, obs: chex.Array) -> chex.Array:
        """int32 action [...] for observations [features, ...]; no key is needed."""
        del key
        return self.lanes(obs)

    def lanes(self, obs: chex.Array) -> chex.Array:
        """int32 actions [B] for observations [features, B]; each lane may have a rule of its own, [..., B]."""
        weights = jnp.asarray(self.weights)
        exits = weights.shape[0] + 1
        battery, queue = obs[_PLACE["battery"]], obs[_PLACE["waiting"]]
        seen = (1.0, battery, jnp.maximum(battery - 0.5, 0), queue, jnp.maximum(queue - 0.25, 0))
        thresholds = [sum(weights[k, i] * x for i, x in enumerate(seen)) for k in range(exits - 1)]
        thresholds = [jnp.broadcast_to(x, battery.shape) for x in (*thresholds, jnp.float32(-np.inf))]
        exit = jnp.round(obs[_PLACE["exit"]] * exits).astype(jnp.int32)
        threshold = at(jnp.stack(thresholds), jnp.maximum(exit - 1, 0))
        goes = (exit > 0) & (obs[_PLACE["probability"]] < threshold)
        waits = obs[_PLACE["recent"]] >= self.awake
        rests = (battery < self.reserve) | ((queue <= 0) & ~waits)
        takes = jnp.where(jnp.asarray(self.newest) > 0.5, NEWEST, OLDEST)
        return jnp.where(goes, CONTINUE, jnp.where(rests, SLEEP, takes)).astype(jnp.int32)


def fixed(exit: int, exits: int, newest: bool = True, awake: float = 0.3) -> Rule:
    """Every frame is answered at one exit, 0 for the first, where deadline and battery allow it."""
    weights = np.zeros((exits - 1, len(FEATURES)), np.float32)
    weights[:exit, 0] = np.inf
    return Rule(weights, np.float32(newest), np.float32(awake), np.float32(0))
