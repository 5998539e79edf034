"""CoreMark on the simulated cores, beside what is published: how near the simulation is to the cores that exist.

    python benchmarks/coremark.py

CoreMark's source is in the package with Ibex's; compiled with the flags of Ibex's own port. Not a certified score.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

from edgerl.deploy import toolchain
from edgerl.deploy.cores import CORES, Core
from edgerl.deploy.toolchain import ToolError
from edgerl.util.errors import UserError

ITERATIONS = 4
PORT = Path(__file__).resolve().parent / "boards" / "coremark"
# Ibex: the README of lowRISC's repository. ESP32-C3: Espressif's datasheet, one core at 160 MHz.
PUBLISHED = {"Ibex small": 2.47, "Ibex maximum performance": 3.13}
ESP32_C3 = 2.55
_FLAGS = (
    *("-march=rv32im", "-O3", "-falign-functions=16", "-funroll-all-loops", "-finline-functions", "-falign-jumps=4"),
    *("-mtune=sifive-3-series", "-mstrict-align", "-w", "-DTOTAL_DATA_SIZE=2000", "-DPERFORMANCE_RUN=1"),
)


def measure(core: Core, iterations: int = ITERATIONS) -> float:
    """CoreMark/MHz.

    Raises:
      UserError: a tool or CoreMark's source is missing.
      ToolError: it does not compile, or its checksums are wrong.
    """
    found = importlib.util.find_spec("pythondata_cpu_ibex")
    if found is None or found.origin is None:
        raise UserError("not installed: CoreMark's source (pip install 'edgerl[cycles]')")
    source = Path(found.origin).parent / "system_verilog" / "vendor" / "eembc_coremark"
    files = [*sorted(source.glob("core_*.c")), PORT / "core_portme.c", toolchain.harness("plain.c")]
    with tempfile.TemporaryDirectory() as temporary:
        printed = core.run(files, [source, PORT], Path(temporary), *_FLAGS, f"-DITERATIONS={iterations}")
    cycles, validated = map(int, printed.split())
    if not validated:
        raise ToolError(f"CoreMark's checksums are wrong on {core.name}")
    return iterations * 1e6 / cycles


def main() -> int:
    """Prints a line for each core; 1 if one could not be measured."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    status = 0
    for core in CORES:
        try:
            published = PUBLISHED.get(core.name)
            print(
                f"{core.name}: {measure(core):.2f} CoreMark/MHz, published {published or 'for no such configuration'}"
            )
        except (UserError, ToolError) as error:
            print(f"{core.name}: {error}", file=sys.stderr)
            status = 1
    print(f"ESP32-C3, published: {ESP32_C3}")
    return status


if __name__ == "__main__":
    sys.exit(main())
