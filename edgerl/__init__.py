"""EdgeRL: decisions for small devices, trained in fast simulators and proven equal on the microcontroller.

Importing the package is cheap: JAX is imported when something that needs it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from edgerl.core.errors import UserError
from edgerl.core.registry import make, register, registered
from edgerl.core.startup import prepare_jax
from edgerl.deploy import extras

if TYPE_CHECKING:
    from edgerl.core.conformance import check_environment
    from edgerl.core.environment import AutoReset, Environment
    from edgerl.core.gymnasium_adapter import to_gymnasium
    from edgerl.core.gymnax_adapter import from_gymnax
    from edgerl.core.policy import MLPPolicy
    from edgerl.core.simulate import SimulationStats, random_policy, simulate

__version__ = "0.1.0"

prepare_jax()

register("CartPole-v0", "edgerl.systems.cartpole.env:cartpole_v0")
register("CartPole-v1", "edgerl.systems.cartpole.env:cartpole_v1")
register("EarlyExit-v0", "edgerl.systems.early_exit.factory:early_exit_v0")
register("LatentNAS-v0", "edgerl.systems.latent_nas.factory:latent_nas_v0")
register("PatchSelection-v0", "edgerl.systems.agent_vit.factory:patch_selection_v0")

extras.register("exits", "edgerl.systems.early_exit.c_extra:write")
extras.register("cascade", "edgerl.pipelines.cascade_files:write")

_LAZY = {
    "AutoReset": "edgerl.core.environment",
    "Environment": "edgerl.core.environment",
    "MLPPolicy": "edgerl.core.policy",
    "SimulationStats": "edgerl.core.simulate",
    "check_environment": "edgerl.core.conformance",
    "from_gymnax": "edgerl.core.gymnax_adapter",
    "random_policy": "edgerl.core.simulate",
    "simulate": "edgerl.core.simulate",
    "to_gymnasium": "edgerl.core.gymnasium_adapter",
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
