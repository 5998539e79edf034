"""AVR processors in simavr: observations are in the program's flash, answers come over the serial port."""

import dataclasses
import re
import tempfile
from pathlib import Path

import numpy as np

from edgerl.deploy import toolchain
from edgerl.deploy.machines.machine import TooSmall
from edgerl.deploy.toolchain import Form, ToolError

_CHUNK_BYTES = 6000  # of observations in one program's flash
_NUMBERS = ("failures", "decide", "act", "ram")


@dataclasses.dataclass(frozen=True)
class Avr:
    """See `machine.Machine`.

    Attributes:
      mcu: the compiler's and simavr's name of it.
    """

    name: str
    mcu: str
    limit: int | None = 2000

    @property
    def how(self) -> str:
        return f"simavr, {self.mcu}"

    def missing(self) -> str | None:
        return toolchain.missing("avr-gcc", "simavr")

    def records(self, folder: Path, name: str, observations: np.ndarray, form: Form) -> np.ndarray:
        chunk = max(1, _CHUNK_BYTES // (4 * observations.shape[1]))
        parts = [
            self._played(folder, name, observations[i : i + chunk], form)[0] for i in range(0, len(observations), chunk)
        ]
        return np.concatenate(parts)

    def measured(self, folder: Path, name: str, observations: np.ndarray, form: Form) -> dict[str, int]:
        """Mean cycles of `decide` and `act`, and bytes of RAM in use at most, over float32 observations [N, features].

        The RAM is the whole program's: the policy's, and some of the program that reads the observations.
        """
        few = observations[: max(1, _CHUNK_BYTES // (4 * observations.shape[1]))]
        found = self._played(folder, name, few, form)[1]
        return {key: found[key] for key in ("decide", "act", "ram")}

    def _played(
        self, folder: Path, name: str, observations: np.ndarray, form: Form
    ) -> tuple[np.ndarray, dict[str, int]]:
        with tempfile.TemporaryDirectory() as temporary:
            out = Path(temporary)
            self._build(folder, name, observations, out)
            said = toolchain.run(["simavr", "-m", self.mcu, "-f", "16000000", str(out / "program")], merged=True)
        # simavr colours the lines of the serial port, and writes a dot for an end of line.
        lines = re.findall(r"^([0-9a-f]+|[a-z]+ \d+)\.?$", re.sub(r"\x1b\[\d*m", "", said), re.MULTILINE)
        numbers = {key: int(value) for key, value in (line.split() for line in lines if " " in line)}
        # simavr breaks a line after 256 characters: only their sequence counts.
        answers, record = "".join(line for line in lines if " " not in line), form.record(packed=True)
        if sorted(numbers) != sorted(_NUMBERS) or len(answers) != 2 * record.itemsize * len(observations):
            count = len(answers) // (2 * record.itemsize)
            raise ToolError(f"the program in simavr answered {count} of {len(observations)} observations")
        if numbers["failures"]:
            raise ToolError(f"{numbers['failures']} embedded test vectors failed")
        return _records(bytes.fromhex(answers), form), numbers

    def _build(self, folder: Path, name: str, observations: np.ndarray, out: Path) -> None:
        toolchain.shim(out, name)
        words = np.ascontiguousarray(observations, "<f4").view("<u4")
        rows = ",\n".join("{" + ", ".join(f"0x{word:08x}" for word in row) + "}" for row in words.tolist())
        (out / "vectors.h").write_text(
            f"#define VECTORS {len(words)}\n"
            f"static const uint32_t observations[VECTORS][{words.shape[1]}] PROGMEM = {{{rows}}};\n"
        )
        flags = [
            f"-mmcu={self.mcu}",
            "-std=gnu99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O2",
            f"-I{folder}",
            f"-I{out}",
            f"-I{toolchain.harness('')}",
        ]
        sources = [str(folder / f"{name}.c"), toolchain.harness("avr.c")]
        try:
            toolchain.run(["avr-gcc", *flags, *sources, "-o", str(out / "program")])
        except ToolError as error:
            if "will not fit" in str(error) or "overflow" in str(error):
                raise TooSmall(f"does not fit an {self.name}'s flash or RAM") from error
            raise


def _records(answers: bytes, form: Form) -> np.ndarray:
    """The program's answers, without gaps, as records."""
    found = np.frombuffer(answers, form.record(packed=True))
    made = np.zeros(len(found), form.record())
    for field in ("input", "scores", "action", "act"):
        made[field] = found[field]
    return made
