"""The last step of a continuous policy: int8 outputs as a box's actions, in the box's units and as Q15.

The output q of one number of the action stands for q / 128 of the way from the middle of its range to the sides: -128
for the lower side, 127 for a step below the upper one. In the box's units that is (first + (q + 128) · step) · unit,
where the sum is a whole number of at most 24 bits and the unit a power of two. Every operation is exact in float32, so
that there is nothing for a compiler to contract, reorder or round. `step` is rounded down: no action leaves the box.
"""

import dataclasses
import functools
import math

import chex
import jax.numpy as jnp
import numpy as np

from edgerl.envs.spaces import Box
from edgerl.util.errors import UserError

_BITS = 24  # of a float32's fraction
_LEAST_EXPONENT = -126  # of a normal float32


@dataclasses.dataclass(frozen=True)
class Units:
    """(first + (q + 128) · step) · unit for int8 q.

    Attributes:
      first, step: int32 [n].
      unit: float32 [n], powers of two.
    """

    first: np.ndarray
    step: np.ndarray
    unit: np.ndarray

    def __call__(self, outputs: chex.Array) -> chex.Array:
        """float32 [..., n], in the box's units, of int8 outputs [..., n]."""
        whole = self.first + (outputs.astype(jnp.int32) + 128) * self.step
        return whole.astype(jnp.float32) * self.unit


def q15(outputs: chex.Array) -> chex.Array:
    """int16 [..., n] of int8 outputs [..., n]: q / 128 with 15 bits behind the point, -32768 for the lower side."""
    return outputs.astype(jnp.int16) * jnp.int16(256)


@functools.cache
def units(space: Box) -> Units:
    """How outputs become actions of a bounded box, its numbers in row-major order.

    Raises:
      UserError: a side is too far from 0 for its width, or too near, so that float32 cannot tell its steps apart.
    """
    low, high = (bound.reshape(-1).astype(np.float64).tolist() for bound in space.bounds())
    found = [_of_range(i, a, b) for i, (a, b) in enumerate(zip(low, high, strict=True))]
    first, step, unit = (np.array(column) for column in zip(*found, strict=True))
    return Units(first.astype(np.int32), step.astype(np.int32), unit.astype(np.float32))


def _of_range(number: int, low: float, high: float) -> tuple[int, int, float]:
    """(first, step, unit) of the range [low, high] of one number."""
    exponent = math.frexp(max(abs(low), abs(high)))[1] - _BITS
    unit = 2.0**exponent
    first, step = math.ceil(low / unit), math.floor((high - low) / unit / 256)
    if low < high and (step < 1 or exponent < _LEAST_EXPONENT):
        raise UserError(
            f"action {number} lies between {low:.9g} and {high:.9g}, which float32 cannot divide into 256 steps: "
            "let the environment take it from -1 to 1, and scale it itself"
        )
    return first, step, unit
