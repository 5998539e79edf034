"""Compilers and the emulator: builds generated C for this host and for rv32imc, runs it, measures it.

Counts are the emulator's retired instructions of a generic rv32imc core, not a chip's cycles.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy import names
from edgerl.util.errors import UserError

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZERS = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Tool → Debian package that brings it.
PACKAGES = {
    "cc": "gcc",
    "riscv64-unknown-elf-objcopy": "binutils-riscv64-unknown-elf",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
    "qemu-riscv32": "qemu-user",
    "qemu-system-riscv32": "qemu-system-misc",
    "qemu-system-xtensa": "qemu-system-misc",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "avr-gcc": "gcc-avr and avr-libc",
    "xtensa-lx106-elf-gcc": "gcc-xtensa-lx106",
    "wasm-ld": "lld",
    "node": "nodejs",
}
_TIMEOUT_SECONDS = 300


def patience(num_vectors: int) -> float:
    """Seconds that a program may take for so many vectors: emulators on a busy machine decide on 400 in one."""
    return max(_TIMEOUT_SECONDS, num_vectors / 400)


class ToolError(Exception):
    """A compiler or a compiled program failed; the message is one line."""


@dataclass(frozen=True)
class Target:
    """What to compile for.

    Attributes:
      compiler: the command.
      flags: for every compilation.
      link: for programs that run on standard input and output.
      emulator: the command that runs them, empty on the host.
      sources: of ours, for every program.
    """

    name: str
    compiler: str
    flags: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    emulator: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def missing(self, *more: str) -> str | None:
        """None if the tools are there, else what to install."""
        return missing(self.compiler, *self.emulator[:1], *more)


def missing(*tools: str) -> str | None:
    """None if commands are there, else what to install."""
    packages = sorted({PACKAGES.get(tool, tool) for tool in tools if shutil.which(tool) is None})
    return f"not installed: {', '.join(packages)} (Debian packages)" if packages else None


HOST = Target("host C", "cc", link=SANITIZERS)
RV32 = Target(
    "rv32imc",
    "riscv64-unknown-elf-gcc",
    flags=("-march=rv32imc", "-mabi=ilp32", "-ffreestanding"),
    # Without relaxation: binutils 2.40 shortens addresses that then lie out of the global pointer's reach.
    link=("-O2", "-nostdlib", "-Wl,--no-relax", "-DFREESTANDING", "-lgcc"),
    # Integer multiplication and compressed instructions only, as on an ESP32-C3.
    emulator=("qemu-riscv32", "-cpu", "rv32,a=off,f=off,d=off"),
)


def harness(name: str) -> str:
    """Path of a C file or linker script of ours."""
    return str(resources.files("edgerl.deploy") / "harness" / name)


def build(target: Target, sources: Sequence[str | Path], include: Sequence[str | Path], program: Path) -> Path:
    """Builds a program that reads standard input and writes standard output; warnings are errors."""
    flags, libraries = [f for f in target.link if f != "-lgcc"], [f for f in target.link if f == "-lgcc"]
    files = [*map(str, sources), *target.sources, *libraries, "-o", str(program)]
    run([target.compiler, *STRICT, *target.flags, *flags, *(f"-I{folder}" for folder in include), *files])
    return program


# What our programs call, by the ending of the header that declares it: functions and macros, without the name.
_CALLED = {
    "": (("quantise", "infer", "argmax", "action", "q15", "act", "self_test"), ("FEATURES", "ACTIONS")),
    "_network": (("network_input", "network_run"), ("NETWORK_PARTS", "NETWORK_OUTPUTS", "NETWORK_INPUT")),
    "_cascade": (("classify", "cascade_self_test"), ("IMAGE_BYTES",)),
}


@dataclass(frozen=True)
class Form:
    """What goes into an export's policy and what comes out.

    Attributes:
      features, actions: how many numbers go in, and how many scores come out; of a policy with memory, both with
        what is remembered behind them.
      score: their type.
      continuous: whether an action is a box's, a number for each score.
      units: how many numbers are remembered.
    """

    features: int
    actions: int
    score: np.typing.DTypeLike = np.int8
    continuous: bool = False
    units: int = 0

    def answer(self) -> list[Any]:
        """The fields of `struct answer` in answer.h."""
        if not self.continuous:
            return [("number", np.int32)]
        numbers = self.actions - self.units
        return [("value", np.float32, (numbers,)), ("q15", np.int16, (numbers,))]

    def record(self, packed: bool = False) -> np.dtype:
        """What vectors.c writes for an observation, as C lays it out; without gaps, as avr.c does."""
        answer = np.dtype(self.answer(), align=not packed)
        scores, read = ("scores", self.score, (self.actions,)), ("input", np.int8, (self.features,))
        fields = [read, scores] if packed else [scores, read]
        return np.dtype([*fields, ("action", answer), ("act", answer)], align=not packed)


def shim(out: Path, name: str, part: str = "") -> None:
    """Writes `exportedPART.h`, by which our programs call `NAMEPART.h` of an export whatever its name is."""
    functions, macros = _CALLED[part]
    lines = [f'#include "{name}{part}.h"', *([] if part else [f"typedef {name}_score exported_score;"])]
    lines += [f"#define EXPORTED_{macro} {name.upper()}_{macro}" for macro in macros]
    lines += [f"#define exported_{function} {name}_{function}" for function in functions]
    continuous = f"{name.upper()}_CONTINUOUS"
    lines += [] if part else [f"#if defined({continuous})", "#define EXPORTED_CONTINUOUS 1", "#endif"]
    lines += [] if part else _memory(name)
    guard = f"EXPORTED{part.upper()}_H"
    lines = [f"#ifndef {guard}", f"#define {guard}", *lines, "#endif"]
    (out / f"exported{part}.h").write_text("\n".join(lines) + "\n")


def _memory(name: str) -> list[str]:
    """What `memory.h` calls of a policy with memory; without one, rows are observations and scores alone."""
    functions = "".join(f"\n#undef exported_{word}\n#define own_{word} {name}_{word}" for word in ("quantise", "infer"))
    return [
        f"#if defined({name.upper()}_MEMORY)",
        f"#define EXPORTED_MEMORY {name.upper()}_MEMORY",
        f"typedef {name}_state exported_state;",
        *(f"#define own_{word} {name}_{word}" for word in ("reset", "step")),
        f"{functions.strip()}",
        '#include "memory.h"',
        "#else",
        "#define EXPORTED_INPUTS EXPORTED_FEATURES",
        "#define EXPORTED_SCORES EXPORTED_ACTIONS",
        "#endif",
    ]


def compile_program(target: Target, folder: Path, out: Path, name: str = names.DEFAULT) -> Path:
    """Builds `NAME.c` of `folder` with the program that reads observations."""
    shim(out, name)
    return build(target, [folder / f"{name}.c", harness("vectors.c")], [folder, out, harness("")], out / "vectors")


def run_program(target: Target, program: Path, observations: np.ndarray, form: Form) -> np.ndarray:
    """A `form.record()` for each of the observations [N, features].

    Raises:
      ToolError: the program failed its self-test, a sanitizer stopped it, or it wrote too little.
    """
    return feed(target, [str(program)], np.ascontiguousarray(observations, "<f4"), form.record())


def feed(target: Target, program: Sequence[str] | Path, inputs: np.ndarray, record: np.dtype) -> np.ndarray:
    """One `record` [N] for each of the inputs [N, …], which go to a program's standard input as they are.

    Args:
      program: its file, or that and its arguments.

    Raises:
      ToolError: the program failed its self-test, a sanitizer stopped it, it wrote too little or took too long.
    """
    command = [*target.emulator, *([str(program)] if isinstance(program, Path) else program)]
    try:
        done = subprocess.run(
            command, input=inputs.tobytes(), capture_output=True, check=False, timeout=patience(len(inputs))
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{command[0]} took more than {patience(len(inputs)):.0f} s") from error
    if done.returncode != 0:
        line = _first_error(done.stderr.decode(errors="replace"))
        raise ToolError(f"the program ended with {done.returncode} ({line or 'embedded test vectors failed'})")
    if len(done.stdout) != len(inputs) * record.itemsize:
        raise ToolError(f"the program wrote {len(done.stdout)} bytes, expected {len(inputs) * record.itemsize}")
    return np.frombuffer(done.stdout, record)


def measure_object(
    target: Target, folder: Path, out: Path, optimise: str = "-O2", name: str = names.DEFAULT
) -> dict[str, int]:
    """Bytes of `NAME.o` by section, and of the deepest stack: text, rodata, data, bss, total, stack."""
    sizes, stack = object_sizes(target, folder / f"{name}.c", out, optimise)
    kernels = max((size for function, size in stack.items() if function.startswith("dense_")), default=0)
    deepest = kernels + sum(size for function, size in stack.items() if re.match(rf"{name}_(act|infer)(_|$)", function))
    return sizes | {"total": sum(sizes.values()), "stack": deepest}


def object_sizes(
    target: Target, source: Path, out: Path, optimise: str = "-O2"
) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes by section (text, rodata, data, bss) of what a source file compiles to, and each function's stack."""
    made = (out / source.name).with_suffix(".o")
    command = [target.compiler, *STRICT, *target.flags, optimise, "-fstack-usage", "-c", str(source), "-o", str(made)]
    run(command)
    sizer = target.compiler.removesuffix("gcc") + "size" if target.compiler.endswith("-gcc") else "size"
    listing = run([sizer, "-A", str(made)])
    sizes = dict.fromkeys(("text", "rodata", "data", "bss"), 0)
    for section, size in re.findall(r"^\.s?(text|rodata|data|bss)\S*\s+(\d+)", listing, re.MULTILINE):
        sizes[section] += int(size)
    usage = re.findall(r"^.*:(\w+)[^\s:]*\t(\d+)\t", made.with_suffix(".su").read_text(errors="replace"), re.MULTILINE)
    return sizes, {name: int(size) for name, size in usage}


def run(
    command: Sequence[str], cwd: Path | None = None, merged: bool = False, seconds: float = _TIMEOUT_SECONDS
) -> str:
    """Standard output of a command; a `ToolError` with its first error line where it fails.

    Args:
      cwd: the folder that it runs in.
      merged: with standard error in it.
      seconds: that it may take.
    """
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
            cwd=cwd,
        )
    except FileNotFoundError as error:
        raise UserError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{command[0]} took more than {seconds:.0f} s") from error
    if done.returncode != 0:
        raise ToolError(f"{command[0]} failed: {_first_error(done.stdout if merged else done.stderr)}")
    return done.stdout


def _first_error(text: str) -> str:
    lines = text.strip().splitlines()
    telling = [line.strip() for line in lines if re.search("error|undefined|overflow", line, re.IGNORECASE)]
    return telling[0] if telling else lines[0].strip() if lines else ""
