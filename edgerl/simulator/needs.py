"""What memory a simulation takes, before it starts."""

from jax.sharding import Mesh

from edgerl.envs.forms import Forms
from edgerl.simulator.block import CHUNK
from edgerl.util import memory

_LANE = 52  # bytes of a lane's totals and their copies, measured; and 28 for each further chunk of steps
_FURTHER = 28
_ALWAYS_THERE = 2**27  # bytes: what is free is not asked for every small simulation


def require_memory(forms: Forms, num_envs: int, num_steps: int, trajectory: bool, mesh: Mesh) -> None:
    """Raises a `UserError` if a simulation, or the trajectory that is asked for, needs more memory than there is."""
    needed = num_envs * (_LANE + _FURTHER * ((num_steps - 1) // CHUNK))
    if trajectory:
        transition = memory.size_of((forms.obs, forms.obs, forms.action)) + 4 + 1 + 1  # reward, terminated, truncated
        needed += num_envs * num_steps * transition
    if needed < _ALWAYS_THERE:
        return
    what = f"simulate: num_envs = {num_envs}" + (f", num_steps = {num_steps}, with a trajectory" if trajectory else "")
    memory.require(what, needed, "take fewer, in several calls with other keys", mesh.devices.flat)
