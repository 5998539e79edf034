"""EdgeRL: decisions for small devices, trained in fast simulators and proven equal on the microcontroller.

Importing the package is cheap: JAX is imported when something that needs it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from edgerl.deploy import extras
from edgerl.envs.registry import make, register, registered
from edgerl.util.errors import UserError
from edgerl.util.startup import prepare_jax

if TYPE_CHECKING:
    from edgerl.envs.adapters.gymnasium_adapter import to_gymnasium
    from edgerl.envs.adapters.gymnax_adapter import from_gymnax
    from edgerl.envs.conformance import check_environment
    from edgerl.envs.environment import AutoReset, Environment
    from edgerl.envs.policy import MLPPolicy
    from edgerl.simulator.simulate import SimulationStats, random_policy, simulate

__version__ = "0.1.0"

prepare_jax()

register("CartPole-v0", "edgerl.tasks.cartpole.env:cartpole_v0")
register("CartPole-v1", "edgerl.tasks.cartpole.env:cartpole_v1")
register("EarlyExit-v0", "edgerl.tasks.early_exit.factory:early_exit_v0")
register("LatentNAS-v0", "edgerl.tasks.latent_nas.factory:latent_nas_v0")
register("PatchSelection-v0", "edgerl.tasks.agent_vit.factory:patch_selection_v0")

extras.register("exits", "edgerl.tasks.early_exit.export.exits_files:write")
extras.register("cascade", "edgerl.tasks.early_exit.export.cascade_files:write")

_LAZY = {
    "AutoReset": "edgerl.envs.environment",
    "Environment": "edgerl.envs.environment",
    "MLPPolicy": "edgerl.envs.policy",
    "SimulationStats": "edgerl.simulator.simulate",
    "check_environment": "edgerl.envs.conformance",
    "from_gymnax": "edgerl.envs.adapters.gymnax_adapter",
    "random_policy": "edgerl.simulator.simulate",
    "simulate": "edgerl.simulator.simulate",
    "to_gymnasium": "edgerl.envs.adapters.gymnasium_adapter",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'edgerl' has no attribute '{name}'")


__all__ = [
    "AutoReset",
    "Environment",
    "MLPPolicy",
    "SimulationStats",
    "UserError",
    "check_environment",
    "from_gymnax",
    "make",
    "random_policy",
    "register",
    "registered",
    "simulate",
    "to_gymnasium",
]
