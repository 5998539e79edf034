"""Machines whose programs read standard input and write standard output."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgerl.deploy import toolchain
from edgerl.deploy.toolchain import Form, Target

XTENSA = Target(
    "Xtensa lx106",
    "xtensa-lx106-elf-gcc",
    flags=("-ffreestanding", "-mlongcalls"),
    link=("-O2", "-nostdlib", "-DSIMCALLS", "-T", toolchain.harness("xtensa.ld"), "-lgcc"),
    emulator=(
        *("qemu-system-xtensa", "-M", "sim", "-cpu", "lx106", "-semihosting", "-display", "none"),
        *("-serial", "none", "-monitor", "none", "-kernel"),
    ),
    sources=(toolchain.harness("plain.c"), toolchain.harness("soft_arithmetic.c")),
)


@dataclasses.dataclass(frozen=True)
class Streams:
    """See `machine.Machine`."""

    name: str
    target: Target
    how: str
    limit: int | None = None

    def missing(self) -> str | None:
        return self.target.missing()

    def call(self, sources: Sequence[str | Path], include: Sequence[str | Path], out: Path) -> None:
        """Builds a program and runs it without input; a `ToolError` if it does not end with 0."""
        program = toolchain.build(self.target, sources, include, out / "program")
        toolchain.feed(self.target, program, np.empty(0, np.uint8), np.dtype(np.uint8))

    def records(self, folder: Path, name: str, observations: np.ndarray, form: Form) -> np.ndarray:
        with tempfile.TemporaryDirectory() as temporary:
            program = toolchain.compile_program(self.target, folder, Path(temporary), name)
            return toolchain.run_program(self.target, program, observations, form)
