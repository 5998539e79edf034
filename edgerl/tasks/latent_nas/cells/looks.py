"""Looks at a table, counted: whatever searches or is trained sees accuracies through this alone."""

import dataclasses

import numpy as np

from edgerl.util.errors import UserError


class Looks:
    """R searches side by side, each of which may look at `budget` cells; a second look at a cell counts as another.

    Attributes:
      cells: int64 [R, n], the numbers of the cells that were looked at, in their order.
      seen: float64 [R, n], what was measured of them.
    """

    def __init__(self, values: np.ndarray, runs: int, budget: int) -> None:
        """`values`: float64 [15,625], one metric of the table; what is not a number may not be looked at."""
        self._values, self.budget = values, budget
        self.cells = np.zeros((runs, 0), np.int64)
        self.seen = np.zeros((runs, 0))

    @property
    def count(self) -> int:
        """Looks of each run so far."""
        return self.cells.shape[1]

    @property
    def allowed(self) -> np.ndarray:
        """bool [15,625]: which cells may be looked at; what is counted from a cell is known without a look."""
        return np.isfinite(self._values)

    def measure(self, cells: np.typing.ArrayLike) -> np.ndarray:
        """float64 [R, b]: the accuracies of cells [R, b], each look counted.

        Raises:
          UserError: more looks than the budget has left, or a look that is not allowed.
        """
        cells = np.asarray(cells, np.int64).reshape(len(self.cells), -1)
        if self.count + cells.shape[1] > self.budget:
            raise UserError(f"{self.count} of {self.budget} looks are used: {cells.shape[1]} more are too many")
        found = self._values[cells]
        if not np.isfinite(found).all():
            raise UserError("a cell was looked at that breaks the limit of parameters or operations")
        self.cells = np.concatenate([self.cells, cells], 1)
        self.seen = np.concatenate([self.seen, found], 1)
        return found

    @classmethod
    def joined(cls, each: "list[Looks]") -> "Looks":
        """Searches of the same table and budget, all used up, as one."""
        both = cls(each[0]._values, len(each), each[0].budget)
        both.cells, both.seen = (np.concatenate([getattr(one, name) for one in each]) for name in ("cells", "seen"))
        return both


@dataclasses.dataclass(frozen=True)
class Regret:
    """Of R searches after each of their looks: percentage points that their best cell misses to the table's best."""

    after: np.ndarray  # float64 [R, n]

    @classmethod
    def of(cls, looks: Looks) -> "Regret":
        """The judge's own view of the whole table: not counted, and not seen by any search."""
        return cls(np.nanmax(looks._values) - np.maximum.accumulate(looks.seen, 1))

    def at(self, count: int) -> dict[str, float]:
        """Mean, standard error and number of runs after `count` looks."""
        column = self.after[:, count - 1]
        error = float(column.std(ddof=1) / np.sqrt(len(column))) if len(column) > 1 else float("nan")
        return {"mean": float(column.mean()), "standard_error": error, "runs": len(column)}
