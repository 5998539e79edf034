"""What a table or a file of logits must look like; anything else is refused in one line that names the array."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgerl.core.errors import UserError
from edgerl.systems.early_exit.data import POLICY, TEST

COSTS = ("macs", "latency_ms")


class Check:
    """Checks of one file. Each raises a `UserError` that begins with the file's path."""

    def __init__(self, path: str | Path) -> None:
        self.path = path

    def expect(self, condition: bool | np.bool_, otherwise: str) -> None:
        """Refuses the file where the condition does not hold."""
        if not condition:
            raise UserError(f"{self.path}: {otherwise}")

    def names(self, names: tuple[str, ...], required: tuple[str, ...], optional: tuple[str, ...]) -> None:
        """The required arrays and at least one cost are there, and nothing unknown is."""
        for name in required:
            self.expect(name in names, f"no array '{name}'; expected {', '.join(required)} and macs or latency_ms")
        for name in names:
            known = required + COSTS + optional
            self.expect(name in known, f"unknown array '{name}'; known are {', '.join(known)}")
        self.expect(
            any(name in names for name in COSTS), "neither 'macs' nor 'latency_ms': the cost of an exit is not known"
        )

    def logits_shape(self, shape: tuple[int, ...]) -> None:
        """Logits are [N >= 2, K >= 2, C >= 2]."""
        self.expect(len(shape) == 3, f"logits have shape {list(shape)}; expected [images, exits, classes]")
        for size, name in zip(shape, ("images", "exits", "classes"), strict=True):
            self.expect(size >= 2, f"logits have shape {list(shape)}; at least 2 {name} are needed")

    def integers(self, name: str, column: np.ndarray, length: int, stop: int) -> None:
        """A column holds `length` whole numbers from 0 to `stop` - 1."""
        self.expect(np.issubdtype(column.dtype, np.integer), f"{name} are {column.dtype}; expected whole numbers")
        self.expect(column.shape == (length,), f"{name} have shape {list(column.shape)}; expected [{length}]")
        wrong = (column < 0) | (column >= stop)
        first = int(wrong.argmax())
        self.expect(not wrong[first], f"{name}[{first}] is {column[first]}; expected 0 to {stop - 1}")

    def split(self, split: np.ndarray, length: int) -> None:
        """Splits are known ones, and there are images to learn from and to judge by."""
        self.integers("split", split, length, TEST + 1)
        for name, number in (("policy", POLICY), ("test", TEST)):
            self.expect((split == number).any(), f"split has no {number} ({name}); 0 is fit, 1 policy, 2 test")

    def costs(self, costs: Mapping[str, np.ndarray], exits: int) -> None:
        """Costs are cumulative: one an exit, above 0, rising."""
        for name, cost in costs.items():
            self.expect(cost.dtype.kind in "iuf", f"{name} is {cost.dtype}; expected numbers")
            self.expect(cost.shape == (exits,), f"{name} has shape {list(cost.shape)}; expected [{exits}], one an exit")
            self.expect(np.isfinite(cost).all() and cost[0] > 0, f"{name} must be finite and above 0")
            rises = np.diff(cost.astype(np.float64)) > 0
            self.expect(rises.all(), f"{name} must rise from exit to exit, because it is cumulative")

    def positive(self, name: str, column: np.ndarray, shape: tuple[int, ...]) -> None:
        """A float32 array of this shape, finite and above 0."""
        self.expect(column.shape == shape, f"{name} has shape {list(column.shape)}; expected {list(shape)}")
        self.expect(column.dtype == np.float32, f"{name} is {column.dtype}; expected float32")
        self.expect((np.isfinite(column) & (column > 0)).all(), f"{name} must be finite and above 0")
