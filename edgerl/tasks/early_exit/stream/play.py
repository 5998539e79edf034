"""Plays a stream and counts: what share of the frames is answered rightly, at which exits, at what energy."""

import contextlib
import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs import prng
from edgerl.envs.deciding import LanesPolicy, Policy
from edgerl.simulator.xla import Trick, in_one_loop, one_kernel, plain_xla
from edgerl.tasks.early_exit.stream.env import ExitStream
from edgerl.tasks.early_exit.stream.parts import StreamParams, StreamState
from edgerl.util.content import jit_by_content

DAY_S = 86400.0
_SUMS = ("right", "arrived", "answered", "lost", "seconds", "spent_j", "harvested_j")
_CHUNK = 256  # decisions between looks at the clock


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
    lanes: int = 512,
    seconds: float = 4 * DAY_S,
    burn_s: float = DAY_S,
    params: StreamParams | None = None,
) -> Played:
    """What a policy reaches on `lanes` devices for so many seconds each, after `burn_s` that do not count.

    Args:
      policy: (key, observation) -> action; one of arrays is data, and compiles once. One that `looks_up` its actions in
        large tables says so: XLA (jaxlib 0.10) cannot compile such a policy and the environment into one kernel.
      params: by default the environment's; its horizon does not count.
    """
    params = dataclasses.replace(env.default_params if params is None else params, horizon_s=np.float32(np.inf))
    params = jax.tree.map(jnp.asarray, params)  # data: other numbers do not compile again
    data = jax.tree.leaves(policy) and all(isinstance(x, (jax.Array, np.ndarray)) for x in jax.tree.leaves(policy))
    static, given = (None, policy) if data else (policy, None)
    start_key, step_key, act_key = jax.random.split(prng.derive(key), 3)
    streams = jnp.moveaxis(jax.random.key_data(jax.random.split(step_key, lanes)), -1, 0)
    carry = _begin(env, start_key, params, lanes)
    window = jnp.array([burn_s, burn_s + seconds], jnp.float32)
    with contextlib.ExitStack() as stack:
        if getattr(policy, "looks_up", False):
            stack.enter_context(plain_xla(Trick.ONE_KERNEL))
        while float(carry[1].elapsed.min()) < burn_s + seconds:
            carry = _chunk(env, static, given, act_key, streams, params, window, carry)
    sums = {name: np.asarray(x, np.float64) for name, x in carry[-1].items()}
    exits = np.stack([sums.pop(f"exit {k}") for k in range(env.exits)], axis=-1)
    return Played(**sums, exits=exits)


Carry = tuple[chex.Array, StreamState, chex.Array, dict[str, chex.Array]]  # decisions, states, observations, sums


@jit_by_content("env", "lanes")
def _begin(env: ExitStream, key: chex.PRNGKey, params: StreamParams, lanes: int) -> Carry:
    obs, state = jax.vmap(lambda k: env.reset(k, params), out_axes=-1)(jax.random.split(key, lanes))
    names = (*_SUMS, *(f"exit {k}" for k in range(env.exits)), "decisions")
    return jnp.uint32(0), state, obs, {name: jnp.zeros(lanes, jnp.float32) for name in names}


@jit_by_content("env", "static")
def _chunk(
    env: ExitStream,
    static: Policy | None,
    given: Policy | None,
    act_key: chex.PRNGKey,
    streams: chex.Array,
    params: StreamParams,
    window: chex.Array,
    carry: Carry,
) -> Carry:
    """`_CHUNK` decisions in every lane; what happens between the two times of `window` is counted."""
    policy = static if given is None else given
    assert policy is not None  # one of both

    def decided(time: chex.Array, obs: chex.Array) -> chex.Array:
        if isinstance(policy, LanesPolicy):
            return policy.lanes(obs)
        keys = jax.random.split(jax.random.fold_in(act_key, time), obs.shape[-1])
        return jax.vmap(policy, in_axes=(0, -1), out_axes=-1)(keys, obs)

    def one(words: chex.Array, time: chex.Array, state: StreamState, action: chex.Array) -> Any:
        obs, after, _, _, _, info = env.step(prng.nth_key(words[0], words[1], time), state, action, params)
        return obs, after, info

    def step(carry: Carry, _: None) -> tuple[Carry, None]:
        time, state, obs, sums = carry
        action = decided(time, obs)
        obs, after, info = jax.vmap(one, in_axes=(-1, None, -1, -1), out_axes=-1)(streams, time, state, action)
        counts = (state.elapsed >= window[0]) & (state.elapsed < window[1])
        exits = {f"exit {k}": info["exit"] == k for k in range(env.exits)}
        found = {**{name: info[name] for name in _SUMS}, **exits, "decisions": counts}
        sums = {name: sums[name] + jnp.where(counts, x.astype(jnp.float32), 0) for name, x in found.items()}
        after, sums = in_one_loop((after, sums))
        return (time + 1, after, obs, sums), None

    return one_kernel(lambda carry: jax.lax.scan(step, carry, None, _CHUNK)[0], carry)
