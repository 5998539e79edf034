"""What a table or a file of logits must look like; anything else is refused in one line that names the array."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgerl.tasks.early_exit.table.file_kinds import advice
from edgerl.tasks.early_exit.trunk.data import POLICY, TEST
from edgerl.util.errors import UserError

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
        """The required arrays and at least one cost are there, once, and nothing unknown is."""
        known = required + COSTS + optional
        for name in required:
            expected = f"no array '{name}'; expected {', '.join(required)} and macs or latency_ms"
            self.expect(name in names, expected + advice(names, name, known) * (name not in names))
        for name in names:
            unknown = f"unknown array '{name}'; known are {', '.join(known)}"
            self.expect(name in known, unknown + advice((name,), None, known) * (name not in known))
            self.expect(names.count(name) == 1, f"array '{name}' is there twice")
        self.expect(
            any(name in names for name in COSTS), "neither 'macs' nor 'latency_ms': the cost of an exit is not known"
        )

    def logits_shape(self, shape: tuple[int, ...]) -> None:
        """Logits are [N >= 2, K >= 2, C >= 2]."""
        said = f"logits have shape {list(shape)}"
        self.expect(len(shape) == 3, f"{said}; expected [images, exits, classes]")
        self.expect(shape[0] >= 2, f"{said}; at least 2 images are needed")
        self.expect(shape[1] >= 2, f"{said}; at least 2 exits are needed: of one alone there is nothing to decide")
        two = "for one logit a yes save np.concatenate([np.zeros_like(logits), logits], -1)"
        self.expect(shape[2] >= 2, f"{said}; at least 2 classes are needed: {two}")

    def integers(self, name: str, column: np.ndarray, length: int, stop: int) -> None:
        """A column holds `length` whole numbers from 0 to `stop` - 1."""
        whole = f"{name} are {column.dtype}; expected whole numbers"
        numbers = column.dtype.kind in "fb" and bool(np.isfinite(column).all() and (column == np.trunc(column)).all())
        self.expect(np.issubdtype(column.dtype, np.integer), whole + f": save {name}.astype(int)" * numbers)
        shape = f"{name} have shape {list(column.shape)}; expected [{length}]"
        is_column = column.ndim == 2 and column.shape[1] == 1
        self.expect(column.shape == (length,), shape + f": save {name}.ravel()" * is_column)
        wrong = (column < 0) | (column >= stop)
        first = int(wrong.argmax())
        self.expect(not wrong[first], f"{name}[{first}] is {column[first]}; expected 0 to {stop - 1}")

    def split(self, split: np.ndarray, length: int) -> None:
        """Splits are known ones, and there are images to learn from and to evaluate by."""
        meaning = "0 is fit, 1 policy, 2 test"
        self.expect(split.dtype.kind in "iuf", f"split are {split.dtype}; expected whole numbers: {meaning}")
        self.integers("split", split, length, TEST + 1)
        # Whoever has two parts numbers them 0 and 1: what 0 means here is told.
        two = ": if 0 and 1 stand for policy and test, save split + 1" * (int(split.max()) == POLICY)
        for name, number in (("policy", POLICY), ("test", TEST)):
            self.expect((split == number).any(), f"split has no {number} ({name}); {meaning}{two}")

    def costs(self, costs: Mapping[str, np.ndarray], exits: int) -> None:
        """Costs are cumulative: one an exit, above 0, rising."""
        for name, cost in costs.items():
            self.expect(cost.dtype.kind in "iuf", f"{name} is {cost.dtype}; expected numbers")
            self.expect(cost.shape == (exits,), self._cost_shape(name, cost.shape, exits))
            whole = cost.astype(np.float64)
            self.expect(np.isfinite(whole).all() and (whole > 0).all(), f"{name} must be finite and above 0")
            falls = np.flatnonzero(np.diff(whole) <= 0)
            k = int(falls[0]) if falls.size else 0
            where = f"exit {k + 1} has {whole[k]:g} and exit {min(k + 2, exits)} {whole[min(k + 1, exits - 1)]:g}"
            remedy = f"if these are the stages' own, save np.cumsum({name})"
            if name == "latency_ms":
                remedy += ", if noise, measure longer"
            self.expect(
                not falls.size, f"{name} must rise from exit to exit, because it is cumulative: {where}; {remedy}"
            )

    def _cost_shape(self, name: str, shape: tuple[int, ...], exits: int) -> str:
        said = f"{name} has shape {list(shape)}; expected [{exits}], one an exit, up to it and with its head"
        return said + f": save {name}.ravel()" * (sorted(shape) == [1, exits])

    def positive(self, name: str, column: np.ndarray, shape: tuple[int, ...]) -> None:
        """A float32 array of this shape, finite and above 0."""
        self.expect(column.shape == shape, f"{name} has shape {list(column.shape)}; expected {list(shape)}")
        self.expect(column.dtype == np.float32, f"{name} is {column.dtype}; expected float32")
        self.expect((np.isfinite(column) & (column > 0)).all(), f"{name} must be finite and above 0")
