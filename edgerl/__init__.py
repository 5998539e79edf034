"""EdgeRL: decisions for small devices, trained in fast simulators and proven equal on the microcontroller.

Importing the package is cheap: JAX is imported when something that needs it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from edgerl.deploy import extras, plays
from edgerl.envs.registry import make, register, registered
from edgerl.util import moved
from edgerl.util.errors import UserError
from edgerl.util.startup import prepare_jax

if TYPE_CHECKING:
    from edgerl.deploy import Int8Policy, export, quantise, verify
    from edgerl.envs.adapters.gymnasium_adapter import to_gymnasium
    from edgerl.envs.adapters.gymnax_adapter import from_gymnax
    from edgerl.envs.conformance import check_environment
    from edgerl.envs.conformance_case import ConformanceError
    from edgerl.envs.environment import AutoReset, Environment, Step
    from edgerl.envs.gru import GRUPolicy
    from edgerl.envs.policy import MLPPolicy
    from edgerl.envs.policy_file import load_policy, save_policy
    from edgerl.envs.spaces import Box, Discrete
    from edgerl.rl.config import PPOConfig, RunConfig
    from edgerl.simulator.simulate import SimulationStats, random_policy, simulate
    from edgerl.tasks.imports.importing import import_policy
    from edgerl.tasks.registry import open_run
    from edgerl.tasks.run import Run
    from edgerl.tasks.task import Task
    from edgerl.tasks.training import train

__version__ = "0.2.0"

prepare_jax()
moved.install()

register("Acrobot-v1", "edgerl.tasks.acrobot.env:Acrobot")
register("CartPole-v0", "edgerl.tasks.cartpole.env:cartpole_v0")
register("CartPole-v1", "edgerl.tasks.cartpole.env:cartpole_v1")
register("EarlyExit-v0", "edgerl.tasks.early_exit.factory:early_exit_v0")
register("ExitStream-v0", "edgerl.tasks.early_exit.stream.factory:exit_stream_v0")
register("LatentNAS-v0", "edgerl.tasks.latent_nas.factory:latent_nas_v0")
register("Pendulum-v1", "edgerl.tasks.pendulum.env:pendulum_v1")
register("PositionOnlyCartPole-v1", "edgerl.tasks.cartpole.env:position_only_cartpole_v1")
register("PositionOnlyPendulum-v1", "edgerl.tasks.pendulum.env:position_only_pendulum_v1")
register("MountainCarContinuous-v0", "edgerl.tasks.mountain_car.env:MountainCarContinuous")
register("PatchSelection-v0", "edgerl.tasks.agent_vit.factory:patch_selection_v0")

extras.register("onnx", "edgerl.deploy.onnx_file:generate")
extras.register("exits", "edgerl.tasks.early_exit.export.exits_files:write")
extras.register("stream", "edgerl.tasks.early_exit.stream.c_files:write")
extras.register("images", "edgerl.tasks.early_exit.export.images:write")
extras.register("cascade", "edgerl.tasks.early_exit.export.cascade_files:write")

plays.register("CartPole-v0", "edgerl.tasks.cartpole:demo.mjs")
plays.register("CartPole-v1", "edgerl.tasks.cartpole:demo.mjs")
plays.register("PositionOnlyCartPole-v1", "edgerl.tasks.cartpole:demo.mjs")
plays.register("Pendulum-v1", "edgerl.tasks.pendulum:demo.mjs")
plays.register("PositionOnlyPendulum-v1", "edgerl.tasks.pendulum:demo.mjs")

_LAZY = {
    "AutoReset": "edgerl.envs.environment",
    "Box": "edgerl.envs.spaces",
    "ConformanceError": "edgerl.envs.conformance_case",
    "Discrete": "edgerl.envs.spaces",
    "Environment": "edgerl.envs.environment",
    "GRUPolicy": "edgerl.envs.gru",
    "Int8Policy": "edgerl.deploy",
    "MLPPolicy": "edgerl.envs.policy",
    "PPOConfig": "edgerl.rl.config",
    "Run": "edgerl.tasks.run",
    "RunConfig": "edgerl.rl.config",
    "SimulationStats": "edgerl.simulator.simulate",
    "Step": "edgerl.envs.environment",
    "Task": "edgerl.tasks.task",
    "check_environment": "edgerl.envs.conformance",
    "export": "edgerl.deploy",
    "from_gymnax": "edgerl.envs.adapters.gymnax_adapter",
    "import_policy": "edgerl.tasks.imports.importing",
    "load_policy": "edgerl.envs.policy_file",
    "open_run": "edgerl.tasks.registry",
    "quantise": "edgerl.deploy",
    "random_policy": "edgerl.simulator.simulate",
    "save_policy": "edgerl.envs.policy_file",
    "simulate": "edgerl.simulator.simulate",
    "to_gymnasium": "edgerl.envs.adapters.gymnasium_adapter",
    "train": "edgerl.tasks.training",
    "verify": "edgerl.deploy",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'edgerl' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


__all__ = [
    "AutoReset",
    "Box",
    "ConformanceError",
    "Discrete",
    "Environment",
    "GRUPolicy",
    "Int8Policy",
    "MLPPolicy",
    "PPOConfig",
    "Run",
    "RunConfig",
    "SimulationStats",
    "Step",
    "Task",
    "UserError",
    "check_environment",
    "export",
    "from_gymnax",
    "import_policy",
    "load_policy",
    "make",
    "open_run",
    "quantise",
    "random_policy",
    "register",
    "registered",
    "save_policy",
    "simulate",
    "to_gymnasium",
    "train",
    "verify",
]
