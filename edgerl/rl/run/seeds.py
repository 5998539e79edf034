"""Seeds side by side: shared out over the devices of a mesh, on each of which its share is trained as one program.

The mesh has all devices of all processes that `jax.distributed` has joined. Every process makes the same calls. Along
the mesh's second axis several devices share one seed's environments; see `meshes`.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from edgerl.envs import prng
from edgerl.envs.environment import Environment, Params
from edgerl.envs.policy_file import FloatPolicy
from edgerl.rl import ppo
from edgerl.rl.config import RunConfig
from edgerl.rl.evaluation import Episodes, play_episodes
from edgerl.rl.run.meshes import ENV, SEED, seed_mesh, share_of
from edgerl.simulator.xla import compiler_options, once_options, quick_options
from edgerl.util.content import cache_by_content, jit_by_content
from edgerl.util.distributed import processes

CPU_BATCH = 4  # trainings that a CPU interleaves, or up to twice as many: more leave its cache
_SPLIT, _SHARED = PartitionSpec(SEED), PartitionSpec()


def spread(states: ppo.TrainState) -> ppo.TrainState:
    """How states [S, ...] lie on a mesh, a `PartitionSpec` for each array. `playing` has environments last."""
    seeds = jax.tree.map(lambda _: _SPLIT, states)
    return replace(
        seeds, playing=jax.tree.map(lambda x: PartitionSpec(SEED, *[None] * (x.ndim - 2), ENV), states.playing)
    )


def shard(tree: Any, num_seeds: int, mesh: Mesh, specs: Any = None) -> Any:
    """Arrays [S, ...] that every process has, over the devices; the last seed is repeated until all have as many.

    Args:
      specs: how each array lies on the mesh; by default seeds are shared out, and nothing else.
    """
    rows = mesh.shape[SEED]
    most = -(-num_seeds // rows) * rows

    def put(x: Any, spec: PartitionSpec) -> jax.Array:
        if processes.is_key(x):
            return jax.random.wrap_key_data(put(jax.random.key_data(x), spec), impl=jax.random.key_impl(x))
        x = np.asarray(x)  # the host's: from device to device, each shape would be a program to compile
        padded = x[np.minimum(np.arange(most), num_seeds - 1)] if most > num_seeds else x
        if jax.process_count() > 1:
            return processes.place(padded, mesh, spec)
        return jax.device_put(padded, NamedSharding(mesh, spec))

    return jax.tree.map(put, tree, jax.tree.map(lambda _: _SPLIT, tree) if specs is None else specs)


def gather(tree: Any, num_seeds: int, mesh: Mesh) -> Any:
    """What `shard` took: NumPy arrays [S, ...], typed keys as their words, on every process."""
    return jax.tree.map(lambda x: x[:num_seeds], processes.whole(tree, mesh))


def keys(config: RunConfig) -> tuple[chex.PRNGKey, chex.PRNGKey, chex.PRNGKey]:
    """Keys of a run: one for each seed's training [num_seeds], for choosing the best, for judging it."""
    return _keys(np.uint32(config.seed), config.num_seeds)


@functools.partial(jax.jit, static_argnames="num_seeds")
def _keys(seed: chex.Array, num_seeds: int) -> tuple[chex.PRNGKey, chex.PRNGKey, chex.PRNGKey]:
    train_key, choice_key, judge_key = jax.random.split(prng.new_key(seed, jnp.uint32(0)), 3)
    return jax.random.split(train_key, num_seeds), choice_key, judge_key


def train(
    env: Environment, config: ppo.PPOConfig, keys: chex.PRNGKey, env_params: Params | None = None
) -> tuple[ppo.TrainState, ppo.Metrics]:
    """`ppo.train` for every key [S] in one call over all devices: states [S], metrics [S, num_updates]."""
    env_params = env.default_params if env_params is None else env_params
    mesh, count = seed_mesh(len(keys)), len(keys)
    placed = processes.place((config, env_params), mesh, _SHARED)
    trained = _trainer(env, mesh, compiler_options(mesh.devices))(placed[0], shard(keys, count, mesh), placed[1])
    return jax.tree.map(lambda x: x[:count], processes.gathered(trained, mesh))


@cache_by_content()
def _trainer(
    env: Environment, mesh: Mesh, options: dict[str, Any] | None
) -> Callable[..., tuple[ppo.TrainState, ppo.Metrics]]:
    def on_device(config: ppo.PPOConfig, keys: chex.PRNGKey, env_params: Params) -> Any:
        return _in_batches(lambda key: ppo.train(env, config, key, env_params), keys, mesh)

    mapped = _mapped(on_device, mesh, (_SHARED, _SPLIT, _SHARED), _SPLIT)
    return jax.jit(mapped, compiler_options=options)


def _in_batches(function: Callable[..., Any], seeds: Any, mesh: Mesh) -> Any:
    """`vmap` over a device's seeds, the first axis of `seeds`; on a CPU over some at a time, one batch after another.

    Of equal size if it can be: a smaller last one would be another program to compile.
    """
    count = jax.tree.leaves(seeds)[0].shape[0]
    if mesh.devices.flat[0].platform != "cpu" or count < 2 * CPU_BATCH:
        return jax.vmap(function)(seeds)
    batch = max([n for n in range(2, 2 * CPU_BATCH) if count % n == 0], default=CPU_BATCH)
    return jax.lax.map(function, seeds, batch_size=batch)


@jit_by_content("env", compiler_options=once_options)
def start(env: Environment, config: ppo.PPOConfig, seeds: chex.PRNGKey, env_params: Params) -> ppo.TrainState:
    """States [S] before the first update of the seeds' keys [S]."""
    return jax.vmap(lambda key: ppo.init(env, config, key, env_params))(seeds)


@jit_by_content("env", "length", "mesh", compiler_options=quick_options)
def update(
    env: Environment,
    config: ppo.PPOConfig,
    states: ppo.TrainState,
    env_params: Params,
    count: chex.Array,
    length: int,
    mesh: Mesh,
) -> tuple[ppo.TrainState, ppo.Metrics]:
    """`count` updates, at most `length`, of every seed: states [S], metrics [length, S], both split over the mesh.

    The states lie on it as `spread` says. `count` is data and not part of the program: a shorter last chunk neither
    compiles again nor changes a bit.
    """

    def on_device(
        config: ppo.PPOConfig, states: ppo.TrainState, env_params: Params, count: chex.Array
    ) -> tuple[ppo.TrainState, ppo.Metrics]:
        def body(i: chex.Array, carry: tuple[ppo.TrainState, ppo.Metrics]) -> tuple[ppo.TrainState, ppo.Metrics]:
            state, metrics = ppo.update(env, config, carry[0], env_params, share)
            return state, jax.tree.map(lambda values, value: values.at[i].set(value), carry[1], metrics)

        empty = {name: jnp.zeros(length, jnp.float32) for name in ppo.METRICS}
        states, metrics = _in_batches(lambda s: jax.lax.fori_loop(0, count, body, (s, empty)), states, mesh)
        return states, jax.tree.map(jnp.transpose, metrics)

    share, spec = share_of(mesh), spread(states)
    takes, gives = (_SHARED, spec, _SHARED, _SHARED), (spec, PartitionSpec(None, SEED))
    return _mapped(on_device, mesh, takes, gives)(config, states, env_params, count)


@jit_by_content("env", "num_envs", "most_steps", "mesh", compiler_options=quick_options)
def play(
    env: Environment,
    policies: FloatPolicy,
    key: chex.PRNGKey,
    env_params: Params,
    num_envs: int,
    most_steps: int,
    mesh: Mesh,
) -> Episodes:
    """Episodes [S, num_envs] of every seed's policy [S], all from the same starts; see `play_episodes`."""

    def on_device(policies: FloatPolicy, key: chex.PRNGKey, env_params: Params) -> Episodes:
        return jax.vmap(lambda policy: play_episodes(env, policy, key, env_params, num_envs, most_steps))(policies)

    return _mapped(on_device, mesh, (_SPLIT, _SHARED, _SHARED), _SPLIT)(policies, key, env_params)


def _mapped(function: Callable[..., Any], mesh: Mesh, takes: Any, gives: Any) -> Callable[..., Any]:
    return jax.shard_map(function, mesh=mesh, in_specs=takes, out_specs=gives, check_vma=False)
