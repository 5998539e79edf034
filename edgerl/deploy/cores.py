"""RISC-V cores whose hardware is simulated clock by clock, by Verilator from their published sources.

An emulator counts instructions; here a load that keeps the next instruction waiting costs what it costs on the core.
The memory answers as fast as the core can ask: a chip that runs from flash has its cache's misses on top.
"""

import dataclasses
import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgerl.deploy import toolchain
from edgerl.deploy.toolchain import RV32, ToolError
from edgerl.util.errors import UserError
from edgerl.util.startup import cache_folder, writable

_TOP = "board"
_PRIMITIVES = ("util", "secded", "cipher", "ram_1p", "count", "mubi")
# Files of Ibex's folder that a simulation without tracing, on flip-flops, does not need.
_NOT_NEEDED = ("tracing", "tracer", "latch", "fpga")


@dataclasses.dataclass(frozen=True)
class Core:
    """A core in one configuration.

    Attributes:
      name: as reports have it.
      module: the Python package that brings its Verilog; its distribution's name has dashes.
      parameters: of our board's module, by which the configuration is chosen.
    """

    name: str
    module: str
    parameters: tuple[str, ...] = ()

    def missing(self) -> str | None:
        """None if the core can be simulated here, else what to install."""
        if importlib.util.find_spec(self.module) is None:
            return "not installed: the Verilog sources (pip install 'edgerl[cycles]')"
        return toolchain.missing("verilator", "make", "g++", RV32.compiler, "riscv64-unknown-elf-objcopy")

    def simulator(self) -> Path:
        """The program that simulates the core; the first call builds it, in 10 s or so, and keeps it for all others.

        Raises:
          UserError: a tool is missing.
          ToolError: it cannot be built.
        """
        if reason := self.missing():
            raise UserError(reason)
        sources = _ibex() if self.module == "pythondata_cpu_ibex" else _vexriscv()
        command = [*_VERILATE, *(f"-G{parameter}" for parameter in self.parameters), *sources]
        kept = cache_folder("cores") / f"{_key(command)}.simulator"
        if not kept.exists():
            with tempfile.TemporaryDirectory() as temporary:
                toolchain.run([*command, "--Mdir", temporary])
                if not writable(kept.parent):
                    raise UserError(f"cannot write {kept.parent}, where simulators are kept; XDG_CACHE_HOME chooses it")
                partial = kept.with_name(f"{kept.name}.{os.getpid()}")  # whole or not at all, whoever else builds it
                shutil.copy(Path(temporary) / f"V{_TOP}", partial)
                partial.replace(kept)
        return kept

    def run(
        self, sources: Sequence[str | Path], include: Sequence[str | Path], out: Path, *flags: str, seconds: float = 300
    ) -> str:
        """What a C program, compiled into the folder `out`, prints on the core; its `main` returns 0 if all is well.

        Args:
          sources: C files and compiled objects.
          include: folders of headers.
          flags: more of the compiler's.
          seconds: that the simulation may take.
        Raises:
          UserError: a tool is missing.
          ToolError: it does not compile, or ended with another status.
        """
        simulator, program = self.simulator(), out / "board.elf"
        start, script = (toolchain.harness(f"cores/{name}") for name in ("start.S", "memory.ld"))
        link = ["-nostdlib", "-Wl,--no-relax", "-T", script, "-DBOARD", *(f"-I{folder}" for folder in include)]
        command = [RV32.compiler, *RV32.flags, "-O2", *link, *flags, start, *map(str, sources)]
        toolchain.run([*command, "-lgcc", "-o", str(program)])
        image = out / "board.hex"
        written = ["-O", "verilog", "--verilog-data-width", "4", "--change-addresses", "-0x400000"]
        toolchain.run(["riscv64-unknown-elf-objcopy", *written, str(program), str(image)])
        printed = toolchain.run([str(simulator), f"+program={image}"], seconds=seconds)
        said, _, status = printed.rpartition("\nexit status ")
        if status.splitlines()[:1] != ["0"]:
            raise ToolError(f"the program ended with status {status.splitlines()[0]} on {self.name}")
        return said


# Small: the multiplier of several cycles; maximum performance: one cycle, targets of branches computed beside the
# comparison, results written back in a stage of their own. The names are those of Ibex's own configurations.
CORES = (
    Core("Ibex small", "pythondata_cpu_ibex"),
    Core("Ibex maximum performance", "pythondata_cpu_ibex", ("Multiplier=3", "BranchTarget=1", "Writeback=1")),
    Core("VexRiscv", "pythondata_cpu_vexriscv"),
)
_VERILATE = (
    *("verilator", "--cc", "--exe", "--build", "-j", "2", "-O3", "-CFLAGS", "-O2", "-DSYNTHESIS"),
    *("-Wno-fatal", "-Wno-lint", "-Wno-style", "--top-module", _TOP, f"-I{toolchain.harness('cores')}"),
)


def _folder(module: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise UserError(f"{module} is not installed: pip install 'edgerl[cycles]'")
    return Path(found.origin).parent


def _ibex() -> list[str]:
    root = _folder("pythondata_cpu_ibex") / "system_verilog"
    rtl, vendor = root / "rtl", root / "vendor" / "lowrisc_ip"
    primitives = vendor / "ip" / "prim" / "rtl"
    packages = [*(primitives / f"prim_{name}_pkg.sv" for name in _PRIMITIVES), rtl / "ibex_pkg.sv"]
    modules = sorted(rtl.glob("ibex_*.sv"))
    modules = [path for path in modules if path not in packages and not any(word in path.name for word in _NOT_NEEDED)]
    folders = [f"-I{path}" for path in (primitives, vendor / "dv" / "sv" / "dv_utils", rtl)]
    return [*folders, *map(str, [*packages, *modules]), *_ours("primitives.sv", "ibex.sv", "main.cpp")]


def _vexriscv() -> list[str]:
    verilog = _folder("pythondata_cpu_vexriscv") / "verilog" / "VexRiscv_IMAC.v"
    return [str(verilog), *_ours("vexriscv.sv", "main.cpp")]


def _ours(*names: str) -> list[str]:
    return [toolchain.harness(f"cores/{name}") for name in names]


def _key(command: Sequence[str]) -> str:
    """Changes with Verilator, the options, and the content of every source."""
    digest = hashlib.sha256(toolchain.run(["verilator", "--version"]).encode())
    paths = [Path(word) for word in [*command, toolchain.harness("cores/board.svh")]]
    for path in paths:
        digest.update(path.read_bytes() if path.is_file() else path.name.encode())
    return digest.hexdigest()[:32]
