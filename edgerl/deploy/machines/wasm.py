"""The same C as WebAssembly: compiled by clang or zig, run by Node.js."""

import dataclasses
import importlib.util
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy import toolchain
from edgerl.deploy.toolchain import Form, Target
from edgerl.util.errors import UserError

_FLAGS = ("-nostdlib", "-ffreestanding", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--export=__heap_base")


def missing() -> str | None:
    """None if there is a compiler for WebAssembly, else what to install."""
    if _compiler() is not None:
        return None
    return f"{toolchain.missing('clang', 'wasm-ld')} or ziglang (pip install 'edgerl[demo]')"


def _compiler() -> list[str] | None:
    """The command, clang's if it has its linker."""
    if toolchain.missing("clang", "wasm-ld") is None:
        return ["clang", "--target=wasm32"]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc", "--target=wasm32-freestanding"]
    return None


def build(folder: Path, name: str, out: Path, more: Sequence[str] = (), optimise: str = "-O2") -> Path:
    """Compiles `NAME.c` of a folder to `out`/NAME.wasm, which imports nothing and exports what the headers declare.

    Args:
      folder: of the export.
      name: of the export.
      out: folder for the program.
      more: further C files of the folder, each with a header of its name.
      optimise: the compiler's option.
    Raises:
      UserError: there is no compiler for it.
      ToolError: it does not compile.
    """
    compiler = _compiler()
    if compiler is None:
        raise UserError(missing() or "")
    code = [folder / f"{name}.c", *(folder / file for file in more)]
    exported = [f"-Wl,--export={symbol}" for file in code for symbol in _symbols(file.with_suffix(".h"))]
    program = out / f"{name}.wasm"
    flags = [*toolchain.STRICT, *_FLAGS, optimise, *exported, f"-I{folder}"]
    sources = [*map(str, code), toolchain.harness("plain.c")]
    toolchain.run([*compiler, *flags, *sources, "-o", str(program)])
    return program


def _symbols(header: Path) -> list[str]:
    """Of the functions that a header declares: their names, each with a hash."""
    return re.findall(r"^#define \w+ (\w+_[0-9a-f]{8})$", header.read_text(), re.MULTILINE)


def run(program: Path, name: str, observations: np.ndarray, form: Form) -> np.ndarray:
    """Records of a compiled program in Node.js; see `Machine.records`."""
    record = form.record()
    own = [form.features - form.units, form.actions - form.units, form.units]
    sizes = [*own, record["scores"].base.itemsize, int(form.continuous), record.itemsize]
    fields: Any = record.fields
    offsets = [fields[field][1] for field in ("scores", "input", "action", "act")]
    node = Target("WebAssembly", "clang", emulator=("node", toolchain.harness("vectors.mjs")))
    arguments = [str(program), name, *map(str, [*sizes, *offsets])]
    return toolchain.feed(node, arguments, np.ascontiguousarray(observations, "<f4"), record)


@dataclasses.dataclass(frozen=True)
class Wasm:
    """See `machine.Machine`."""

    name: str
    how: str = "clang or zig for wasm32, Node.js"
    limit: int | None = None

    def missing(self) -> str | None:
        return missing() or toolchain.missing("node")

    def records(self, folder: Path, name: str, observations: np.ndarray, form: Form) -> np.ndarray:
        with tempfile.TemporaryDirectory() as temporary:
            return run(build(folder, name, Path(temporary)), name, observations, form)


@dataclasses.dataclass(frozen=True)
class Program:
    """A program that somebody else compiled, as the one in an export's page. See `machine.Machine`.

    Attributes:
      program: WebAssembly; empty where there is none.
      absent: what to say then.
    """

    name: str
    program: bytes
    absent: str
    how: str = "the program in it, Node.js"
    limit: int | None = None

    def missing(self) -> str | None:
        return toolchain.missing("node") if self.program else self.absent

    def records(self, folder: Path, name: str, observations: np.ndarray, form: Form) -> np.ndarray:
        del folder
        with tempfile.TemporaryDirectory() as temporary:
            program = Path(temporary) / "program.wasm"
            program.write_bytes(self.program)
            return run(program, name, observations, form)
