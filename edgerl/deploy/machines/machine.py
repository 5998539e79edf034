"""What runs an export's C on many observations."""

from pathlib import Path
from typing import Protocol

import numpy as np

from edgerl.deploy.toolchain import Form


class Machine(Protocol):
    """A processor, real or emulated.

    Attributes:
      name: of the processor.
      how: the tool that runs it, and what is particular.
      limit: vectors that it runs at most, since it is slow or small; None: any number.
    """

    @property
    def name(self) -> str: ...

    @property
    def how(self) -> str: ...

    @property
    def limit(self) -> int | None: ...

    def missing(self) -> str | None:
        """None if the tools are there, else what to install."""
        ...

    def records(self, folder: Path, name: str, observations: np.ndarray, form: Form) -> np.ndarray:
        """A `form.record()` for each of N observations; the self-test passed.

        Args:
          folder: of the export.
          name: of the export.
          observations: float32 [N, features].
          form: of the export.
        Raises:
          ToolError: it does not compile, or failed while it ran.
          TooSmall: the program does not fit the machine.
        """
        ...


class TooSmall(Exception):
    """A program does not fit a machine; the message is one line."""
