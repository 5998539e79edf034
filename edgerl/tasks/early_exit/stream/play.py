"""Plays a stream and counts: what share of the frames is answered rightly, at which exits, at what energy."""

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs import prng
from edgerl.envs.deciding import LanesPolicy, Policy
from edgerl.tasks.early_exit.stream.env import ExitStream, StreamParams
from edgerl.util.content import jit_by_content

DAY_S = 86400.0


@dataclasses.dataclass(frozen=True)
class Played:
    """Sums over the time that counts, float64 [lanes] each, of independent devices."""

    right: np.ndarray  # right answers
    arrived: np.ndarray  # frames
    answered: np.ndarray
    lost: np.ndarray
    seconds: np.ndarray
    spent_j: np.ndarray
    harvested_j: np.ndarray
    decisions: np.ndarray
    exits: np.ndarray  # [lanes, K], answers at each exit

    @property
    def per_lane(self) -> np.ndarray:
        """Right answers per 100 frames that arrived, float64 [lanes]."""
        return 100 * self.right / self.arrived

    @property
    def score(self) -> float:
        """Right answers per 100 frames that arrived, over all lanes."""
        return float(100 * self.right.sum() / self.arrived.sum())

    def summary(self) -> dict[str, Any]:
        """Plain numbers."""
        frames = self.arrived.sum()
        half = 1.96 * float(self.per_lane.std(ddof=1)) / len(self.right) ** 0.5 if len(self.right) > 1 else None
        return {
            "right_per_100_frames": self.score,
            "half_width_95": half,
            "frames": int(frames),
            "answered": float(self.answered.sum() / frames),
            "exits": (self.exits.sum(0) / max(self.answered.sum(), 1)).tolist(),
            "joules_per_frame": float(self.spent_j.sum() / frames),
            "decisions": int(self.decisions.sum()),
        }


def play(
    env: ExitStream,
    policy: Policy,
    key: chex.PRNGKey,
    lanes: int = 64,
    seconds: float = 4 * DAY_S,
    burn_s: float = DAY_S,
    params: StreamParams | None = None,
) -> Played:
    """What a policy reaches on `lanes` devices for so many seconds each, after `burn_s` that do not count.

    Args:
      policy: (key, observation) -> action; one of arrays is data, and compiles once.
      params: by default the environment's; its horizon does not count.
    """
    params = env.default_params if params is None else params
    data = jax.tree.leaves(policy) and all(isinstance(x, (jax.Array, np.ndarray)) for x in jax.tree.leaves(policy))
    static, given = (None, policy) if data else (policy, None)
    sums = _play(env, static, given, key, params.replace(horizon_s=np.inf), lanes, float(seconds), float(burn_s))
    return Played(**{name: np.asarray(x, np.float64) for name, x in sums.items()})


@jit_by_content("env", "static", "lanes", "seconds", "burn_s")
def _play(
    env: ExitStream,
    static: Policy | None,
    given: Policy | None,
    key: chex.PRNGKey,
    params: StreamParams,
    lanes: int,
    seconds: float,
    burn_s: float,
) -> dict[str, chex.Array]:
    policy = static if given is None else given
    assert policy is not None  # one of both
    start_key, key = jax.random.split(prng.derive(key))

    def acted(key: chex.PRNGKey, obs: chex.Array) -> chex.Array:
        if isinstance(policy, LanesPolicy):
            return policy.lanes(obs)
        return jax.vmap(policy, in_axes=(0, -1), out_axes=-1)(jax.random.split(key, lanes), obs)

    def going(carry: Any) -> chex.Array:
        return jnp.any(carry[1].elapsed < burn_s + seconds)

    def step(carry: Any) -> Any:
        time, state, obs, sums = carry
        act_key, step_key = jax.random.split(jax.random.fold_in(key, time))
        action = acted(act_key, obs)
        one = jax.vmap(lambda k, s, a: env.step(k, s, a, params), in_axes=(0, -1, -1), out_axes=-1)
        obs, after, _, _, _, info = one(jax.random.split(step_key, lanes), state, action)
        counts = (state.elapsed >= burn_s) & (state.elapsed < burn_s + seconds)
        exits = info.pop("exit") == jnp.arange(env.exits)[:, None]
        found = {**{name: x.astype(jnp.float32) for name, x in info.items()}, "exits": exits, "decisions": counts}
        sums = {name: _added(sums[name], jnp.where(counts, x, 0)) for name, x in found.items()}
        return time + 1, after, obs, sums

    obs, state = jax.vmap(lambda k: env.reset(k, params), out_axes=-1)(jax.random.split(start_key, lanes))
    names = ("right", "arrived", "answered", "lost", "seconds", "spent_j", "harvested_j", "decisions")
    none = {name: jnp.zeros((2, lanes), jnp.float32) for name in names}
    none["exits"] = jnp.zeros((2, env.exits, lanes), jnp.float32)
    sums = jax.lax.while_loop(going, step, (jnp.int32(0), state, obs, none))[-1]
    return {name: jnp.moveaxis(x[0], -1, 0) for name, x in sums.items()}


def _added(total: chex.Array, x: chex.Array) -> chex.Array:
    """Kahan's compensated sum: (sum, what is missing of it), [2, ...]."""
    value = x - total[1]
    new = total[0] + value
    return jnp.stack([new, (new - total[0]) - value])
