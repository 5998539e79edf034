"""What one decision of an export costs on RISC-V: instructions in an emulator, cycles on simulated cores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy import names, toolchain
from edgerl.deploy.cores import Core
from edgerl.deploy.machines.cortex import Cortex
from edgerl.deploy.toolchain import RV32
from edgerl.util.errors import UserError

ROWS = 200  # observations in emulators
CYCLE_ROWS = 20  # observations on simulated cores, on which a decision takes 10 ms and more


def instructions(
    folder: Path, out: Path, inputs: np.ndarray, observations: np.ndarray, name: str = names.DEFAULT
) -> np.ndarray:
    """int [N, 2] retired instructions on rv32imc: of network and argmax, and with the quantiser in front.

    Args:
      folder, name: of the export.
      out: folder for what is compiled.
      inputs: int8 [N, features].
      observations: float32 [N, features].
    Raises:
      UserError: a tool is missing.
      ToolError: it does not compile, or its self-test failed.
    """
    if reason := RV32.missing("qemu-system-riscv32"):
        raise UserError(reason)
    _prepare(out, name, inputs, observations)
    program = out / "count"
    sources = [*_sources(folder, name), "-T", toolchain.harness("virt.ld")]
    flags = [
        *RV32.flags,
        "-O2",
        "-mcmodel=medany",
        "-nostdlib",
        "-I",
        str(folder),
        "-I",
        str(out),
        "-I",
        toolchain.harness(""),
    ]
    toolchain.run([RV32.compiler, *flags, *sources, "-lgcc", "-o", str(program)])
    emulator = ["qemu-system-riscv32", "-M", "virt", "-bios", "none", "-display", "none", "-monitor", "none"]
    printed = toolchain.run([*emulator, "-serial", "stdio", "-icount", "shift=0", "-kernel", str(program)])
    return np.array(printed.split(), np.int64).reshape(len(inputs), 2)


def cycles(
    core: Core, folder: Path, out: Path, inputs: np.ndarray, observations: np.ndarray, name: str = names.DEFAULT
) -> np.ndarray:
    """int [N, 2] cycles on a core, of the same; arguments and errors as those of `instructions`."""
    _prepare(out, name, inputs, observations)
    printed = core.run(_sources(folder, name), [folder, out, toolchain.harness("")], out)
    return np.array(printed.split(), np.int64).reshape(len(inputs), 2)


# CoreMark/MHz: Ibex's are those of lowRISC's README, the chip's of Espressif's datasheet (407.22 at 160 MHz).
_BRACKET = {"Ibex maximum performance": 3.13, "Ibex small": 2.47}
_ESP32_C3 = 2.55


def esp32_c3(cycles: Mapping[str, Mapping[str, Mapping[str, float]] | str]) -> dict[str, Any] | str:
    """An estimate, not a measurement, of mean cycles on an ESP32-C3: those of two cores that CoreMark puts around it.

    A decision is not CoreMark, and misses of the cache before the chip's flash come on top.

    Args:
      cycles: core's name → what is counted → {min, mean, max}, or why there is nothing.
    Returns:
      What is counted → {low, high}, and `basis`, from what; a string where a core of the two was not counted.
    """
    fast, slow = (cycles.get(name, "not counted") for name in _BRACKET)
    if isinstance(fast, str) or isinstance(slow, str):
        return fast if isinstance(fast, str) else str(slow)
    scores = ", ".join(f"{name} {score}" for name, score in _BRACKET.items())
    basis = f"an estimate: mean cycles on two cores around the chip's published {_ESP32_C3} CoreMark/MHz ({scores})"
    return {
        "basis": f"{basis}; memory without wait states; no board was used",
        **{what: {"low": fast[what]["mean"], "high": slow[what]["mean"]} for what in fast},
    }


def on_cortex(
    machine: Cortex, folder: Path, out: Path, inputs: np.ndarray, observations: np.ndarray, name: str = names.DEFAULT
) -> np.ndarray:
    """int [N, 2] retired instructions on a Cortex-M whose timer counts 25 MHz; see `instructions`."""
    if reason := machine.missing():
        raise UserError(reason)
    _prepare(out, name, inputs, observations)
    (out / "in").touch()
    # An instruction takes 2^7 ns of the emulator's time: 3.2 ticks of the timer, which round to a whole instruction.
    machine.call(_sources(folder, name), [folder, out, toolchain.harness("")], out, ["-icount", "shift=7"])
    ticks = np.array((out / "out").read_text().split(), np.int64).reshape(len(inputs), 2)
    return np.round(ticks * 40 / 128).astype(np.int64)


def few(rows: int, inputs: np.ndarray, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most so many rows of both, evenly spread."""
    every = -(-len(inputs) // rows)
    return inputs[::every], observations[::every]


def _sources(folder: Path, name: str) -> list[str]:
    return [str(folder / f"{name}.c"), toolchain.harness("count.c")]


def _prepare(out: Path, name: str, inputs: np.ndarray, observations: np.ndarray) -> None:
    rows = ",\n".join("{" + ", ".join(map(str, row)) + "}" for row in inputs.tolist())
    floats = ",\n".join("{" + ", ".join(f"{value:.9e}f" for value in row) + "}" for row in observations.tolist())
    width = inputs.shape[1]
    (out / "inputs.h").write_text(
        f"#include <stdint.h>\nstatic const int8_t inputs[][{width}] = {{{rows}}};\n"
        f"static const float observations[][{width}] = {{{floats}}};\n"
    )
    toolchain.shim(out, name)
