"""Cycles and bytes of a policy's C on simulated RISC-V cores: ours and the peers' by the same program and linker."""

import dataclasses
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from report import Numbers

from edgerl.deploy import toolchain
from edgerl.deploy.cores import CORES, Core
from edgerl.deploy.toolchain import RV32, ToolError
from edgerl.util.errors import UserError

BOARDS = Path(__file__).resolve().parent / "boards"
ROWS = 8  # observations: a decision in floats is a second of simulation
_LINK = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")  # only what is called counts


@dataclasses.dataclass(frozen=True)
class Program:
    """C that has `peer_prepare` and `peer_act` (see boards/act.c).

    Attributes:
      sources: C files, objects and archives.
      include: folders of headers.
      flags: more of the compiler's.
      setting: which of the peer's possible settings this is, in words.
    """

    sources: tuple[str | Path, ...]
    include: tuple[Path, ...] = ()
    flags: tuple[str, ...] = ()
    setting: str = ""


def measure(programs: Sequence[Program], observations: np.ndarray, actions: np.ndarray) -> Numbers:
    """Of the fastest program on the first core: cycles of one decision on each core, bytes of flash, static RAM, stack.

    Args:
      observations: float32 [N, features]; evenly spread rows of them are decided.
      actions: int [N], what the program's own reference decides.
    Returns:
      setting; cycles: core → {min, mean, max}, or why there are none; flash_bytes and ram_bytes of the linked program,
      without what the benchmark adds; stack_bytes. Or `failed`.
    """
    rows = np.linspace(0, len(observations) - 1, ROWS).astype(int)
    try:
        best = programs[0] if len(programs) == 1 else min(programs, key=lambda p: _mean(p, observations[rows[:1]]))
        found: Numbers = {"setting": best.setting, "cycles": {}}
        for core in CORES:
            if reason := core.missing():
                found["cycles"][core.name] = reason
                continue
            counts, sizes = _run(core, best, observations[rows])
            wrong = int((counts[:, 1] != actions[rows]).sum())
            if wrong:
                return {"failed": f"{wrong} of {ROWS} decisions on {core.name} are not its reference's"}
            cycles = counts[:, 0]
            found["cycles"][core.name] = {k: float(getattr(np, k)(cycles)) for k in ("min", "mean", "max")}
            found |= sizes
    except (UserError, ToolError) as error:
        return {"failed": str(error)}
    return found


def _mean(program: Program, observations: np.ndarray) -> float:
    return float(_run(CORES[0], program, observations)[0][:, 0].mean())


def _run(core: Core, program: Program, observations: np.ndarray) -> tuple[np.ndarray, Numbers]:
    """(int [N, 2] cycles and action of each decision, bytes)."""
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        _write(out / "observations.h", observations)
        text = core.run([BOARDS / "act.c", *program.sources], [out, *program.include], out, *_LINK, *program.flags)
        *lines, stack = text.splitlines()
        sizes = linked_sizes(out / "board.elf")
        core.run([BOARDS / "act.c", BOARDS / "nothing.c"], [out], out, *_LINK)
        own = linked_sizes(out / "board.elf")
    bytes_used = {name: sizes[name] - own[name] for name in sizes} | {"stack_bytes": int(stack)}
    return np.array([line.split() for line in lines], np.int64), bytes_used


def linked_sizes(program: Path) -> dict[str, int]:
    """Bytes of flash and of static RAM of a linked program; what is initialised takes both."""
    listing = toolchain.run(["riscv64-unknown-elf-size", "-A", str(program)])
    sections = {name: int(size) for name, size in re.findall(r"^(\.\S+)\s+(\d+)\s+\d+", listing, re.MULTILINE)}
    loaded = {name: size for name, size in sections.items() if not name.startswith((".debug", ".comment", ".riscv"))}
    ram = sum(size for name, size in loaded.items() if name.startswith((".bss", ".data", ".tbss", ".tdata")))
    zeroed = sum(size for name, size in loaded.items() if name.startswith((".bss", ".tbss")))
    return {"flash_bytes": sum(loaded.values()) - zeroed, "ram_bytes": ram}


def _write(path: Path, observations: np.ndarray) -> None:
    rows = ",\n".join("{" + ", ".join(f"{value:.9e}f" for value in row) + "}" for row in observations.tolist())
    path.write_text(f"static const float observations[][{observations.shape[1]}] = {{{rows}}};\n")


def picolibc() -> tuple[Path, tuple[str, ...]]:
    """(folder of headers, archives) of the C library that peers need.

    Raises:
      UserError: it is not installed.
    """
    command = [RV32.compiler, *(flag for flag in RV32.flags if flag != "-ffreestanding")]
    with tempfile.TemporaryDirectory() as temporary:
        probe = Path(temporary) / "probe.c"
        probe.write_text("#include <stdio.h>\n")
        try:
            read = toolchain.run([*command, "--specs=picolibc.specs", "-M", str(probe)]).split()
        except ToolError as error:
            raise UserError("not installed: picolibc-riscv64-unknown-elf (Debian package)") from error
    include = next(Path(path).parent for path in read if path.endswith("/stdio.h"))
    folder = include.parent / "lib" / toolchain.run([*command, "-print-multi-directory"]).strip()
    return include, tuple(str(folder / name) for name in ("libm.a", "libc.a"))
