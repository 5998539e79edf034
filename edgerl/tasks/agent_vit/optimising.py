"""How a transformer's weights are moved: Adam with decoupled weight decay (AdamW), at a constant or a falling rate."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

ADAM = optax.scale_by_adam()
SCHEDULES = ("constant", "cosine")


def share(schedule: str, warmup: chex.Numeric, time: chex.Numeric, steps: chex.Numeric) -> chex.Numeric:
    """The part of the learning rate that step `time` of `steps` has, between 0 and 1.

    Args:
      schedule: one of `SCHEDULES`. "cosine" rises in a straight line, then falls as half a cosine to 0.
      warmup: the part of the steps that it rises in, below 1; of "constant" there is none.

    >>> [round(float(share("cosine", 0.5, time, 4)), 2) for time in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if schedule == "constant":
        return 1.0
    rising = warmup * steps
    past = jnp.clip((time - rising) / jnp.maximum(steps - rising, 1), 0, 1)
    return jnp.minimum((time + 1) / jnp.maximum(rising, 1), 0.5 * (1 + jnp.cos(jnp.pi * past)))


def move(network: Any, updates: Any, rate: chex.Numeric, weight_decay: chex.Numeric) -> Any:
    """The parameters after a step. Kernels alone decay: scales, shifts and biases do not."""

    def moved(path: tuple[Any, ...], x: chex.Array, update: chex.Array) -> chex.Array:
        if path[-1].key == "kernel":
            update = update + weight_decay * x
        return x - rate * update

    return jax.tree_util.tree_map_with_path(moved, network, updates)
