"""What a stream is made of: the device's parameters, its state, what is observed, how rewards change for learning."""

import dataclasses
from typing import NamedTuple

import chex
import numpy as np
from flax import struct

from edgerl.tasks.early_exit.stream import arrivals, queue
from edgerl.tasks.early_exit.stream.arrivals import Source
from edgerl.tasks.early_exit.stream.power import Supply

CONTINUE, OLDEST, NEWEST, SLEEP = 0, 1, 2, 3
IDLE, ASLEEP = -1, -2  # positions where no frame is under way
CONDITIONS = ("load", "capacity", "sun")  # what may be drawn for an episode

NAMES = {
    "probability": "largest probability at the exit reached, 0 while no frame is under way",
    "margin": "largest less second largest probability",
    "agreement": "1 if this exit predicts what the one before did",
    "exit": "number of the exit reached, divided by that of the last one; 0 while no frame is under way",
    "slack": "time left to answer the frame under way, as a share of the deadline",
    "waiting": "frames in the queue, as a share of its places",
    "queue slack": "time left to answer the oldest frame waiting, as a share of the deadline; 1 if none waits",
    "battery": "charge, as a share of the capacity",
    "harvest": "power that the battery is charged with now, as a share of the most",
    "day sine": "sine of the time of day, 0 at midnight",
    "day cosine": "cosine of the time of day, 1 at midnight",
    "recent": "frames that arrived lately, as a share of those that a busy source sends meanwhile; 1 at most",
}
DRAWN = {
    "load": "rate of the frames, from 0 for the least to 1 for the most",
    "capacity": "of the battery, from 0 for the least to 1 for the most",
    "sun": "power of the panel, from 0 for the least to 1 for the most",
}


@struct.dataclass
class StreamParams:
    """A device, what it is sent, and what charges it. In seconds, joules, watts. Any field may be vmapped."""

    words: chex.Array  # uint32 [n * K], see `packing`
    stage_s: chex.Array  # float32 [K], time of each exit's own part
    stage_j: chex.Array  # float32 [K], its energy
    source: Source = Source()
    supply: Supply = dataclasses.field(default_factory=Supply)
    deadline_s: chex.Numeric = 6.0  # from a frame's arrival to its answer
    pause_s: chex.Numeric = 60.0  # of waiting or sleeping, at most, before the next decision
    wake_s: chex.Numeric = 0.05
    wake_j: chex.Numeric = 0.005
    horizon_s: chex.Numeric = 86400.0  # of an episode
    low: chex.Array = dataclasses.field(default_factory=lambda: np.ones(3, np.float32))  # factors of `CONDITIONS` are …
    high: chex.Array = dataclasses.field(default_factory=lambda: np.ones(3, np.float32))  # … log-uniform to here


class StreamState(NamedTuple):
    """Of one device; ages are seconds since a frame's arrival."""

    position: chex.Array  # int32, place of the exit reached in the table; IDLE or ASLEEP where there is none
    age: chex.Array  # float32, of the frame under way
    ages: queue.Ages  # of frames waiting, newest first, infinite where there is none
    source: arrivals.SourceState
    battery: chex.Array  # float32, joules
    clock: chex.Array  # float32, seconds since midnight
    sky: chex.Array  # float32 in [0, 1], this day's share of a clear day's harvest
    recent: chex.Array  # float32, exponential mean of the arrivals, per second
    elapsed: chex.Array  # float32, seconds of this episode
    condition: chex.Array | None = None  # float32 [3] in [0, 1], where conditions are drawn


@dataclasses.dataclass(frozen=True)
class Learning:
    """How the reward is changed for learning. Toll and shaping change no policy's rank; the other two nearly none.

    An answer pays its calibrated probability, instead of 1 or 0 by whether it is right, which is less noisy.

    Attributes:
      toll: taken off for each frame that arrives, about what one pays in the mean.
      joule: what a joule in the battery is worth, in right answers: the potential by whose changes rewards are shaped
        (Ng, Harada & Russell, "Policy invariance under reward transformations", 1999).
      discount_s: a reward is worth 1 / e of itself so many seconds before: `info["discount"]`, see `rl.rollout`.
    """

    toll: float = 0.5
    joule: float = 1.5
    discount_s: float = 20_000.0
