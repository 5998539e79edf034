"""What memory a training takes, before it starts. Rather too little than too much: nothing that fits is refused."""

import itertools
import math

import jax
from jax.sharding import Mesh

from edgerl.envs.environment import Environment, Params
from edgerl.rl.config import RunConfig
from edgerl.rl.heads import head_of
from edgerl.rl.ppo import METRICS
from edgerl.rl.run.meshes import ENV, SEED
from edgerl.rl.run.seeds import CPU_BATCH
from edgerl.util import memory

_FLOAT = 4  # bytes
_COPIES = 3  # of what is kept between updates: before and after one, and on the host for the checkpoint


def require_memory(env: Environment, config: RunConfig, env_params: Params, mesh: Mesh) -> None:
    """Raises a `UserError` if a training needs more memory than there is."""
    ppo = config.ppo
    what = (
        f"num_seeds = {config.num_seeds}, ppo.num_envs = {ppo.num_envs}, ppo.num_steps = {ppo.num_steps}, "
        f"ppo.hidden_sizes = {list(ppo.hidden_sizes)}, evaluation_envs = {config.evaluation_envs}"
    )
    needed = bytes_needed(env, config, env_params, mesh)
    memory.require(what, needed, "make some of them smaller", mesh.devices.flat)


def bytes_needed(env: Environment, config: RunConfig, env_params: Params, mesh: Mesh) -> int:
    """Bytes on all devices together, at the time of the largest need.

    Raises:
      UserError: PPO does not learn such actions.
    """
    ppo, seeds, rows, parts = config.ppo, config.num_seeds, mesh.shape[SEED], mesh.shape[ENV]
    obs, state = jax.eval_shape(env.reset, jax.ShapeDtypeStruct((), jax.random.key(0).dtype), env_params)
    obs_bytes, lane_bytes = memory.size_of(obs), memory.size_of((obs, state))
    features, head = math.prod(obs.shape), head_of(env.id, env.action_space(env_params))
    layers = [[features, *ppo.hidden_sizes, outputs] for outputs in (head.outputs, 1)]  # of the policy and of the value
    weights = sum((a + 1) * b for widths in layers for a, b in itertools.pairwise(widths))
    hidden = sum(ppo.hidden_sizes)
    widest = max((*ppo.hidden_sizes, 1))

    adam = 3 * weights * _FLOAT  # the weights and Adam's two means
    kept = adam + ppo.num_envs * (lane_bytes + 2 * _FLOAT)
    sample = 2 * obs_bytes + 7 * _FLOAT + (obs_bytes + 5 * _FLOAT)  # a step, and its place in the minibatches
    activations = max(ppo.batch_size // ppo.num_minibatches * 4 * hidden, ppo.batch_size * 2 * widest) * _FLOAT
    # Of the devices that share a seed each holds all that is learnt from, and all weights.
    learnt = obs_bytes + 6 * _FLOAT
    working = ppo.batch_size * (sample + (parts - 1) * learnt) + activations + parts * 2 * weights * _FLOAT
    each = math.ceil(seeds / rows)
    at_once = min(each, CPU_BATCH) if mesh.devices.flat[0].platform == "cpu" else each
    metrics = len(METRICS) * min(config.checkpoint_every, ppo.num_updates) * seeds * _FLOAT
    training = seeds * kept * _COPIES + rows * at_once * working + 2 * metrics
    played = config.evaluation_envs * (2 * lane_bytes + 2 * widest * _FLOAT)
    return max(training, seeds * (kept * _COPIES + played))
