"""The battery, what charges it, and what the device takes while it computes nothing."""

import dataclasses

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct


def daylight(slots: int = 48) -> np.ndarray:
    """float32 [slots] in [0, 1], over a day from midnight: half a sine from 6 to 18 o'clock, each slot's mean."""
    edges = np.linspace(0, 1, slots + 1)
    whole = np.where(edges < 0.25, 0, np.where(edges > 0.75, 2, 1 - np.cos(2 * np.pi * (edges - 0.25))))
    return (np.diff(whole) * slots / (2 * np.pi)).astype(np.float32)


@struct.dataclass
class Supply:
    """A battery and what charges it: day and night (`daylight`), the same power always ([1]), or a trace of a day."""

    harvest: chex.Array = dataclasses.field(default_factory=daylight)  # [slots] over a day, as shares of `panel_w`
    panel_w: chex.Numeric = 0.0
    sky_low: chex.Numeric = 1.0  # the share of it that a day has is drawn at midnight, uniformly from here to 1
    day_s: chex.Numeric = 86400.0
    capacity_j: chex.Numeric = 300.0
    idle_w: chex.Numeric = 0.0  # while waiting awake
    sleep_w: chex.Numeric = 0.0


def light(supply: Supply, clock: chex.Array, sky: chex.Array) -> chex.Array:
    """The power at a time of day, as a share of `panel_w`."""
    table = jnp.asarray(supply.harvest)
    slots = table.shape[0]
    if slots == 1:
        return table[0] * sky
    slot = (clock * (slots / supply.day_s)).astype(jnp.int32)
    return table.at[jnp.clip(slot, 0, slots - 1)].get(mode="promise_in_bounds") * sky


def charge(
    supply: Supply, battery: chex.Array, clock: chex.Array, sky: chex.Array, seconds: chex.Array, spent: chex.Array
) -> tuple[chex.Array, chex.Array]:
    """(joules in the battery after a step, joules harvested in it, at the power of its middle)."""
    middle = clock + seconds / 2
    middle = jnp.where(middle >= supply.day_s, middle - supply.day_s, middle)
    harvested = supply.panel_w * light(supply, middle, sky) * seconds
    return jnp.clip(battery + harvested - spent, 0.0, supply.capacity_j), harvested


def clear(supply: Supply, u: chex.Array) -> chex.Array:
    """A day's share of a clear day's harvest, by a uniform number in [0, 1)."""
    return supply.sky_low + (1 - supply.sky_low) * u


def later(
    supply: Supply, clock: chex.Array, sky: chex.Array, seconds: chex.Array, u: chex.Array
) -> tuple[chex.Array, chex.Array]:
    """(clock, the day's share) after a step; a new day has a share of its own."""
    clock = clock + seconds
    midnight = clock >= supply.day_s
    return jnp.where(midnight, clock - supply.day_s, clock), jnp.where(midnight, clear(supply, u), sky)
