"""Search spaces are plug-ins: what `edgerl train latent-nas --set space=NAME` searches.

A space says which genes a network has, which genes can be built, how many parameters it has, how its table is read, and
brings its way: how its latent space, surrogate and agent are trained, and who judges what is found. To add one, write a
`SearchSpace` and name it in `SPACES`.
"""

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

SPACES = {
    "analognas": "edgerl.tasks.latent_nas.table.plugin:ANALOGNAS",
    "nasbench201": "edgerl.tasks.latent_nas.cells.plugin:NASBENCH201",
}


class Way(Protocol):
    """What the commands do in a space; each member as that of `edgerl.Task` with the same name."""

    def environment(self, config: Any, folder: Path | None = None) -> Any: ...

    def train(self, config: Any, out: str | Path, progress: bool = True) -> dict[str, Any]: ...

    def evaluate(self, run: Any) -> dict[str, Any]: ...

    def table(self, found: Any) -> Any: ...

    def figures(self, run: Any) -> list[Path]: ...

    def closed_loop(self, run: Any, player: Any) -> dict[str, Any]: ...


@dataclasses.dataclass(frozen=True)
class SearchSpace:
    """One space of networks, each written as whole numbers.

    Attributes:
      name: under which it is chosen.
      genes: what each number is called, G of them.
      low, high: int [G], their ranges; `buildable` may ask for more.
      sample: (generator, N) -> int [N, G], networks that can be built.
      buildable: int [..., G] -> bool [...], the constraints.
      parameter_count: int [..., G] -> int [...], weights.
      describe: int [G] -> the network under published names.
      read: path -> the table of measured networks; raises a `UserError` where it is none.
      judged_by: in a sentence, who says whether a found network is good.
      way: its commands, or None where the task's own are meant.
    """

    name: str
    genes: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    sample: Callable[[np.random.Generator, int], np.ndarray]
    buildable: Callable[[Any], Any]
    parameter_count: Callable[[Any], Any]
    describe: Callable[[np.ndarray], dict[str, Any]]
    read: Callable[[str | Path], Any]
    judged_by: str
    way: Way | None = None


def space_of(name: str) -> SearchSpace:
    """The space with that name, one of `SPACES`."""
    module, _, attribute = SPACES[name].partition(":")
    found: SearchSpace = getattr(importlib.import_module(module), attribute)
    return found
