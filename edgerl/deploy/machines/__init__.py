"""Where an export's C is run to be compared: this host, and emulated processors."""

from collections.abc import Sequence

from edgerl.deploy.machines.avr import Avr
from edgerl.deploy.machines.cortex import Cortex
from edgerl.deploy.machines.machine import Machine
from edgerl.deploy.machines.streams import XTENSA, Streams
from edgerl.deploy.machines.wasm import Wasm
from edgerl.deploy.toolchain import HOST, RV32
from edgerl.util.errors import UserError

CORTEX_M4F = Cortex(
    "Cortex-M4F", "cortex-m4", "mps2-an386", flash=2**22, ram=2**22, batch=64, flags=("-mfpu=fpv4-sp-d16",)
)
ALL: tuple[Machine, ...] = (
    Streams("host C", HOST, "-std=c99 -Wall -Wextra -Werror, sanitizers on"),
    Streams("rv32imc", RV32, "qemu-riscv32, -march=rv32imc"),
    Cortex("Cortex-M0", "cortex-m0", "microbit", flash=2**18, ram=2**14, batch=8),
    CORTEX_M4F,
    Streams("Xtensa lx106", XTENSA, "qemu-system-xtensa, machine sim"),
    Avr("ATmega2560", "atmega2560"),
    Avr("ATmega328P", "atmega328p"),
    Wasm("WebAssembly"),
)


def chosen(names: Sequence[str] | None) -> tuple[Machine, ...]:
    """The machines of these names, or all.

    Raises:
      UserError: there is none of that name.
    """
    if names is None:
        return ALL
    known = {machine.name: machine for machine in ALL}
    for name in names:
        if name not in known:
            raise UserError(f"no target is called '{name}'; known: {', '.join(known)}")
    return tuple(machine for machine in ALL if machine.name in names)


__all__ = ["ALL", "Machine", "chosen"]
