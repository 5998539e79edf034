"""LatentNAS201-v0: a walk through the latent space of NAS-Bench-201's cells, coordinate by coordinate.

As LatentNAS-v0, with another space. Observation: float32 [6], the latent, whose coordinates are codes' values.
Action: code k and dimension d, as 6 k + d below 36, set z[d] = codebook[k, d]; 36 stops.
Reward: the change of the value of the cell that z decodes to, minus `step_cost`; stopping: 0. The value is what a
surrogate says of the cell; nothing is measured in a step.
Terminated: the agent stopped. Truncated: `max_steps_in_episode` steps went by.

A latent of codes is one of 6^6 = 46,656 combinations: what each decodes to is worth is one look-up.
"""

import dataclasses
from typing import ClassVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.environment import Step
from edgerl.envs.spaces import Box, Discrete
from edgerl.tasks.latent_nas.cells.autoencoder import CODES, LATENT, nearest, place_of
from edgerl.util.content import ByContent

STOP = CODES * LATENT


@struct.dataclass
class CellWalkParams:
    """The latent space and what its cells are worth. `values` may be an array of many under `vmap`."""

    codebook: chex.Array  # float32 [CODES, LATENT]
    values: chex.Array  # float32 [CODES ** LATENT], of each combination of codes, of about unit size
    step_cost: chex.Numeric = 0.02  # of every action but stopping
    max_steps_in_episode: chex.Numeric = 24


@struct.dataclass
class CellWalkState:
    """Where an episode stands."""

    latent: chex.Array  # float32 [LATENT]
    codes: chex.Array  # int32 [LATENT], those that the latent consists of
    value: chex.Array  # float32, of the cell there
    time: chex.Array  # int32


@dataclasses.dataclass(frozen=True, eq=False)
class CellWalk(ByContent):
    """The environment; see the module's docstring. A run of `space=nasbench201` makes it."""

    observation_names: ClassVar = tuple(f"latent coordinate {i}" for i in range(LATENT))
    action_names: ClassVar = (
        *(f"set latent coordinate {i} to its code {code}" for code in range(CODES) for i in range(LATENT)),
        "stop",
    )

    default_params: CellWalkParams = dataclasses.field(repr=False)
    id: str = "LatentNAS201-v0"

    def observation_space(self, params: CellWalkParams | None = None) -> Box:
        """Codes' values."""
        return Box((-np.inf,) * LATENT, (np.inf,) * LATENT, (LATENT,))

    def action_space(self, params: CellWalkParams | None = None) -> Discrete:
        """0 to 35: 6 * code + dimension; 36: stop."""
        return Discrete(STOP + 1)

    def reset(self, key: chex.PRNGKey, params: CellWalkParams | None = None) -> tuple[chex.Array, CellWalkState]:
        """The codes nearest to z ~ N(0, I)."""
        p = self._params(params)
        codes = nearest(p.codebook, jax.random.normal(key, (LATENT,), jnp.float32))
        latent = sum(jnp.where(codes == code, p.codebook[code], 0) for code in range(CODES))
        state = CellWalkState(latent, codes, self.value(codes, p), jnp.int32(0))
        return latent, state

    def step(
        self, key: chex.PRNGKey, state: CellWalkState, action: chex.Array, params: CellWalkParams | None = None
    ) -> Step:
        """One coordinate set, or the end. Deterministic: the key is not used."""
        del key
        p = self._params(params)
        stopped = action == STOP
        changed = (jnp.arange(LATENT) == action % LATENT) & ~stopped
        number = jnp.ravel(jnp.asarray(p.codebook)).at[jnp.minimum(action, STOP - 1)].get(mode="promise_in_bounds")
        latent = jnp.where(changed, number, state.latent)
        codes = jnp.where(changed, action // LATENT, state.codes).astype(jnp.int32)
        value = self.value(codes, p)
        reward = value - state.value - jnp.where(stopped, 0.0, jnp.asarray(p.step_cost, jnp.float32))
        state = CellWalkState(latent, codes, value, state.time + 1)
        truncated = (state.time >= p.max_steps_in_episode) & ~stopped
        return latent, state, reward, stopped, truncated, {}

    def value(self, codes: chex.Array, params: CellWalkParams) -> chex.Array:
        """float32 scalar: what the cell is worth that codes int32 [LATENT] decode to. A look-up."""
        return jnp.asarray(params.values, jnp.float32).at[place_of(codes)].get(mode="promise_in_bounds")

    def _params(self, params: CellWalkParams | None) -> CellWalkParams:
        return self.default_params if params is None else params
