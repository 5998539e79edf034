"""Cortex-M processors in QEMU: a program without a library, which opens files of the host by semihosting."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgerl.deploy import toolchain
from edgerl.deploy.machines.machine import TooSmall
from edgerl.deploy.toolchain import Form, ToolError


@dataclasses.dataclass(frozen=True)
class Cortex:
    """See `machine.Machine`.

    Attributes:
      cpu: of the compiler.
      board: QEMU's.
      flash, ram: the board's, in bytes.
      batch: observations that its RAM holds at once.
      flags: more of the compiler's, for a floating-point unit for example.
    """

    name: str
    cpu: str
    board: str
    flash: int
    ram: int
    batch: int
    flags: tuple[str, ...] = ()
    limit: int | None = None

    @property
    def how(self) -> str:
        return f"qemu-system-arm, board {self.board}"

    def missing(self) -> str | None:
        return toolchain.missing("arm-none-eabi-gcc", "qemu-system-arm")

    def call(
        self,
        sources: Sequence[str | Path],
        include: Sequence[str | Path],
        out: Path,
        options: Sequence[str] = (),
        num_vectors: int = 0,
    ) -> None:
        """Builds a program and runs it in QEMU, its files `in` and `out` in the folder `out`.

        Args:
          sources: C files.
          include: folders of headers.
          out: for what is built, and for the files.
          options: more of QEMU's.
          num_vectors: that it reads, for which it is given time.
        Raises:
          ToolError: it does not compile, or does not end with 0.
          TooSmall: it does not fit.
        """
        self._build([*sources, toolchain.harness("plain.c")], include, out)
        (out / "in").touch()
        command = ["qemu-system-arm", "-M", self.board, "-display", "none", "-monitor", "none", "-serial", "none"]
        semihosting = ["-semihosting-config", "enable=on,target=native", "-kernel", str(out / "program")]
        toolchain.run([*command, *options, *semihosting], cwd=out, seconds=toolchain.patience(num_vectors))

    def records(self, folder: Path, name: str, observations: np.ndarray, form: Form) -> np.ndarray:
        with tempfile.TemporaryDirectory() as temporary:
            out = Path(temporary)
            (out / "in").write_bytes(np.ascontiguousarray(observations, "<f4").tobytes())
            toolchain.shim(out, name)
            include: list[str | Path] = [folder, out, toolchain.harness("")]
            sources: list[str | Path] = [folder / f"{name}.c", toolchain.harness("vectors.c")]
            self.call(sources, include, out, num_vectors=len(observations))
            record = form.record()
            written = (out / "out").read_bytes()
        if len(written) != len(observations) * record.itemsize:
            raise ToolError(f"the program wrote {len(written)} bytes, expected {len(observations) * record.itemsize}")
        return np.frombuffer(written, record)

    def _build(self, sources: Sequence[str | Path], include: Sequence[str | Path], out: Path) -> None:
        floats = "hard" if self.flags else "soft"
        flags = [f"-mcpu={self.cpu}", "-mthumb", f"-mfloat-abi={floats}", *self.flags, "-ffreestanding", "-O2"]
        sizes = [f"-Wl,--defsym=FLASH_SIZE={self.flash}", f"-Wl,--defsym=RAM_SIZE={self.ram}"]
        more = ["-DSEMIHOSTING", f"-DBATCH={self.batch}", "-nostdlib", "-T", toolchain.harness("cortex.ld")]
        command = ["arm-none-eabi-gcc", *toolchain.STRICT, *flags, *more, *sizes, *(f"-I{path}" for path in include)]
        try:
            toolchain.run([*command, *map(str, sources), "-lgcc", "-o", str(out / "program")])
        except ToolError as error:
            if "overflow" in str(error):
                raise TooSmall(
                    f"does not fit {self.flash >> 10} KiB of flash and {self.ram >> 10} KiB of RAM"
                ) from error
            raise
