"""Where a run's seeds are trained: a mesh of devices, seeds along one axis, one seed's environments along the other."""

import math

import jax
import numpy as np
from jax.sharding import Mesh

from edgerl.rl.config import RunConfig
from edgerl.rl.share import ALONE, Share
from edgerl.util.errors import UserError

SEED, ENV = "seed", "env"


def seed_mesh(num_seeds: int, parts: int = 1) -> Mesh:
    """All devices of all processes, `parts` for each seed; of a single process no more than the seeds need."""
    devices = np.array(jax.devices())
    rows = len(devices) // parts
    rows = rows if jax.process_count() > 1 else min(rows, num_seeds)
    devices = devices[: rows * parts].reshape(rows, parts)
    return Mesh(devices, (SEED, ENV), axis_types=(jax.sharding.AxisType.Auto,) * 2)


def mesh_of(config: RunConfig) -> Mesh:
    """The mesh that a configuration asks for.

    Raises:
      UserError: there are not so many devices, or environments and minibatches cannot be shared out over them.
    """
    devices, several = jax.device_count(), jax.process_count() > 1
    ppo, wanted = config.ppo, config.mesh
    learnt = ppo.num_envs if ppo.gru_size else ppo.batch_size  # whole sequences, or steps
    shared = math.gcd(ppo.num_envs, learnt // ppo.num_minibatches)

    def fits(parts: int) -> bool:
        return shared % parts == 0 and not (several and devices % parts)

    if wanted == 0:
        most = max(1, devices // config.num_seeds)
        return seed_mesh(config.num_seeds, next(n for n in range(most, 0, -1) if fits(n)))
    if wanted > devices:
        raise UserError(f"mesh = {wanted}, but there are {devices} devices; 0 takes as many as there are for each seed")
    if shared % wanted:
        what = "environments" if ppo.gru_size else "steps"
        raise UserError(
            f"mesh = {wanted}: ppo.num_envs = {ppo.num_envs}, and the {learnt // ppo.num_minibatches} {what} of a "
            f"minibatch, must be divisible by it, so that each device has as many"
        )
    if not fits(wanted):
        raise UserError(f"mesh = {wanted}: the {devices} devices of all processes must be divisible by it")
    return seed_mesh(config.num_seeds, wanted)


def share_of(mesh: Mesh) -> Share:
    """What a device of the mesh has of a seed's environments."""
    parts = mesh.shape[ENV]
    return Share(ENV, parts) if parts > 1 else ALONE
