"""Modules by the names that they had in version 0.1: they are still imported, with a warning that says the new name.

Programs of users had to import `edgerl.core.spaces` and the like, since the face did not have all that they needed.
"""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Old folder -> the new ones in which its modules are looked for.
_FOLDERS = {
    "core": ("envs", "simulator", "util", "envs.adapters", "util.distributed", "tasks"),
    "agents": ("rl", "rl.run", "tasks.agent_vit.agents"),
    "hardware": ("tasks.hardware",),
    "systems.cartpole": ("tasks.cartpole",),
    "systems.agent_vit": ("tasks.agent_vit",),
    "systems.early_exit": tuple(f"tasks.early_exit{part}" for part in ("", ".table", ".trunk", ".evaluation")),
    "systems.latent_nas": tuple(f"tasks.latent_nas{part}" for part in ("", ".table", ".models", ".evaluation")),
}
_PACKAGES = {*_FOLDERS, "systems", "pipelines"}
_RENAMED = {
    "core.compiling": "simulator.xla",
    "core.constants": "simulator.shortcuts",
    "core.tabulated": "simulator.shortcuts",
    "core.unseen": "simulator.shortcuts",
    "deploy.tables": "deploy.fixed_functions",
    "deploy.tflite": "deploy.converter",
    "core.generator": "envs.prng",
    "pipelines.logits": "tasks.early_exit.table.logits",
    "systems.early_exit.build_table": "tasks.early_exit.table.build",
    "systems.early_exit.c_features": "tasks.early_exit.export.exits_c",
    "systems.early_exit.table": "tasks.early_exit.table.table",
    "systems.early_exit.train_trunk": "tasks.early_exit.trunk.train",
    "systems.early_exit.trunk_config": "tasks.early_exit.trunk.config",
}


def install() -> None:
    """From here on the old names can be imported."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())


class Finder(MetaPathFinder):
    """Asked last, for names that no file has."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of the new name under the old one."""
        if not fullname.startswith("edgerl."):
            return None
        old = fullname.removeprefix("edgerl.")
        if old in _PACKAGES:
            return importlib.util.spec_from_loader(fullname, Copy(None), is_package=True)
        new = _new_name(old)
        return None if new is None else importlib.util.spec_from_loader(fullname, Copy(new))


class Copy(Loader):
    """Fills a module with what another one has."""

    def __init__(self, new: str | None) -> None:
        self.new = new

    def create_module(self, spec: ModuleSpec) -> None:
        """Python's own empty one."""

    def exec_module(self, module: ModuleType) -> None:
        """Takes everything from the module of the new name."""
        if self.new is None:
            return
        text = f"{module.__name__} is called {self.new} since version 0.2; what users need is in edgerl itself"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        real = importlib.import_module(self.new)
        module.__dict__.update({name: x for name, x in vars(real).items() if not name.startswith("__")})


def _new_name(old: str) -> str | None:
    folder, _, name = old.rpartition(".")
    places = [_RENAMED[old]] if old in _RENAMED else [f"{new}.{name}" for new in _FOLDERS.get(folder, ())]
    for place in places:
        if importlib.util.find_spec(f"edgerl.{place}") is not None:
            return f"edgerl.{place}"
    return None
