"""The same C as WebAssembly: compiled by clang, run by Node.js."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy import toolchain
from edgerl.deploy.toolchain import Target

_FLAGS = ("--target=wasm32", "-O2", "-nostdlib", "-ffreestanding", "-Wl,--no-entry", "-Wl,--export-all")


def build(folder: Path, name: str, out: Path) -> Path:
    """Compiles `NAME.c` of a folder to `out`/NAME.wasm.

    Raises:
      ToolError: it does not compile.
    """
    sources = [str(folder / f"{name}.c"), toolchain.harness("plain.c")]
    program = out / f"{name}.wasm"
    toolchain.run(["clang", *toolchain.STRICT, *_FLAGS, f"-I{folder}", *sources, "-o", str(program)])
    return program


@dataclasses.dataclass(frozen=True)
class Wasm:
    """See `machine.Machine`."""

    name: str
    how: str = "clang --target=wasm32, Node.js"
    limit: int | None = None

    def missing(self) -> str | None:
        return toolchain.missing("clang", "wasm-ld", "node")

    def records(
        self, folder: Path, name: str, observations: np.ndarray, actions: int, score: np.typing.DTypeLike
    ) -> np.ndarray:
        record = toolchain.record_of(observations.shape[1], actions, score)
        with tempfile.TemporaryDirectory() as temporary:
            program = build(folder, name, Path(temporary))
            sizes = [observations.shape[1], record["scores"].itemsize, record.itemsize]
            fields: Any = record.fields
            offsets = [fields[field][1] for field in ("scores", "input", "action", "act")]
            node = Target(self.name, "clang", emulator=("node", toolchain.harness("vectors.mjs")))
            arguments = [str(program), name, *map(str, [*sizes, *offsets])]
            return toolchain.feed(node, arguments, np.ascontiguousarray(observations, "<f4"), record)
