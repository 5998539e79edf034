"""Finds environments whose `step` has already begun the next episode when it says that one has ended.

Nothing would fail with such an environment: the simulator's counts stay right. But a trajectory would show another
episode's observation as the last one, and PPO would take the value of a fresh start for the value of the state in
which a time limit ended the episode. So a few episodes are played, once for each environment and its parameters.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs import prng
from edgerl.envs.environment import Environment, Params, State
from edgerl.util.content import cache_by_content

LANES = 16  # episodes side by side
STARTS = 256  # resets that show what a start looks like
STEPS = 64  # of a call
CALLS = 16  # at most, until enough episodes have ended
ENOUGH = 16  # ends of episodes
SECONDS = 2  # at most, of slow steps


@cache_by_content()
def resets_itself(env: Environment, params: Params) -> bool:
    """Whether the last step of an episode returns the first state of another one, in random play.

    Either the states after an end lie where starts lie, and those in the middle of an episode do not; or they depend
    on the step's random key alone. An episode that ends without a clock exactly where all episodes start cannot be
    told from one that was reset.

    Args:
      params: values, of one environment.
    """
    import time

    began, ends, parts = time.perf_counter(), 0, []
    key = prng.new_key(np.uint32(0), np.uint32(0))
    low, high, state = _jit(lambda key: _starts(env, params, key))(key)
    play = _jit(lambda state, key, call: _play(env, params, low, high, state, key, call))
    for call in range(CALLS):
        state, seen = play(state, key, np.int32(call))
        parts.append(jax.tree.map(np.asarray, seen))
        ends += int(parts[-1]["ended"][..., 0].sum())
        if ends >= ENOUGH or time.perf_counter() - began > SECONDS:
            break
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return _looks_like_a_start(**whole) or _follows_from_the_key(**whole)


def _starts(env: Environment, params: Params, key: chex.PRNGKey) -> tuple[Any, Any, State]:
    """The least and the largest numbers in the observations and states of starts, and a few of the states."""
    starts = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key, STARTS), params)
    seen = [numbers(x) for x in jax.tree.leaves(starts)]
    few = jax.tree.map(lambda x: x[:LANES], starts[1])
    return [x.min(axis=0) for x in seen], [x.max(axis=0) for x in seen], few


def _jit(function: Any) -> Any:
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})  # it runs once


def _play(
    env: Environment, params: Params, low: Any, high: Any, states: State, key: chex.PRNGKey, call: chex.Array
) -> tuple[State, dict[str, chex.Array]]:
    """`LANES` environments for `STEPS` steps, each step with three keys: its own, and two that are always the same.

    Returns:
      The states after it; for each step and lane [STEPS, LANES], and for each of its keys [STEPS, LANES, 3]: whether
      the episode ended, whether what followed lies where starts lie, and what follows from every bit of the state
      before (one for all keys) and after.
    """
    space = env.action_space(params)

    def step(state: State, key: chex.PRNGKey, same: chex.PRNGKey) -> tuple[State, dict[str, chex.Array]]:
        action_key, step_key, reset_key = jax.random.split(key, 3)
        action = space.sample(action_key)

        def take(key: chex.PRNGKey) -> tuple[State, dict[str, chex.Array]]:
            obs, later, _, terminated, truncated, _ = env.step(key, state, action, params)
            fresh = _between(low, high, (obs, later))
            return later, {"ended": terminated | truncated, "fresh": fresh, "after": _digest((obs, later))}

        later, seen = jax.vmap(take)(jnp.concatenate([step_key[None], same]))
        fresh, ended = env.reset(reset_key, params)[1], seen["ended"][0]
        state_after = jax.tree.map(lambda a, b: jnp.where(ended, a, b[0]), fresh, later)
        return state_after, {**seen, "before": _digest(state)}

    same_key, steps_key = jax.random.split(key)
    same, steps_key = jax.random.split(same_key), jax.random.fold_in(steps_key, call)

    def step_all(states: State, key: chex.PRNGKey) -> tuple[State, dict[str, chex.Array]]:
        return jax.vmap(lambda state, key: step(state, key, same))(states, jax.random.split(key, LANES))

    return jax.lax.scan(step_all, states, jax.random.split(steps_key, STEPS))


def _looks_like_a_start(ended: np.ndarray, fresh: np.ndarray, **_: np.ndarray) -> bool:
    ended, fresh = ended[..., 0], fresh[..., 0]
    return bool(ended.any() and not ended.all() and fresh[ended].mean() > 0.9 and fresh[~ended].mean() < 0.5)


def _follows_from_the_key(ended: np.ndarray, after: np.ndarray, before: np.ndarray, **_: np.ndarray) -> bool:
    """With one key, different states that end lead to the same state; with another key, to the same other one."""
    first, second = (set(after[..., i][ended[..., i]].tolist()) for i in (1, 2))
    return len(set(before[ended[..., 1]].tolist())) > 1 and len(first) == len(second) == 1 and first != second


def _between(low: Any, high: Any, one: Any) -> chex.Array:
    """Scalar bool: each number lies in its range, which is widened by its width on both sides."""
    triples = zip(low, high, map(numbers, jax.tree.leaves(one)), strict=True)
    return jnp.all(jnp.stack([jnp.all((x >= 2 * a - b) & (x <= 2 * b - a)) for a, b, x in triples]))


def plain(x: Any) -> chex.Array:
    """An array; of a typed key, its words."""
    x = jnp.asarray(x)
    return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x


def numbers(x: Any) -> chex.Array:
    """float32, to be compared with a range."""
    return plain(x).astype(jnp.float32)


def _digest(tree: Any) -> chex.Array:
    """A uint32 that follows from every bit of a tree."""
    total = jnp.uint32(0)
    for x in jax.tree.leaves(tree):
        x = plain(x)
        x = x.astype(jnp.uint8) if x.dtype == jnp.bool_ else x
        words = jax.lax.bitcast_convert_type(x, f"uint{8 * min(4, x.dtype.itemsize)}").astype(jnp.uint32).reshape(-1)
        for word in (words * jnp.arange(1, 2 * words.size, 2, dtype=jnp.uint32), words >> 7):
            total = (total ^ word.sum(dtype=jnp.uint32)) * jnp.uint32(2654435761) + jnp.uint32(1)
    return total
