"""What memory a simulation takes, before it starts."""

from typing import Any

import jax
from jax.sharding import Mesh

from edgerl.core import memory
from edgerl.core.block import CHUNK
from edgerl.core.environment import Environment, Params

_LANE = 52  # bytes of a lane's totals and their copies, measured; and 28 for each further chunk of steps
_FURTHER = 28
_SMALL = 2**24  # steps whose trajectory fits any machine that runs this at all


def require_memory(
    env: Environment, params: Params, num_envs: int, num_steps: int, trajectory: bool, mesh: Mesh
) -> None:
    """Raises a `UserError` if a simulation, or the trajectory that is asked for, needs more memory than there is.

    Args:
      params: without a value a lane.
    """
    needed = num_envs * (_LANE + _FURTHER * ((num_steps - 1) // CHUNK))
    if trajectory and num_envs * num_steps > _SMALL:
        needed += num_envs * num_steps * _transition_bytes(env, params)
    what = f"simulate: num_envs = {num_envs}" + (f", num_steps = {num_steps}, with a trajectory" if trajectory else "")
    memory.require(what, needed, "take fewer, in several calls with other keys", mesh.devices.flat)


def _transition_bytes(env: Environment, params: Params) -> int:
    """Of one step of one lane."""

    def transition(key: Any) -> Any:
        obs, _ = env.reset(key, params)
        return obs, obs, env.action_space(params).sample(key)

    key = jax.ShapeDtypeStruct((), jax.random.key(0).dtype)
    return memory.size_of(jax.eval_shape(transition, key)) + 4 + 1 + 1  # reward, terminated, truncated
