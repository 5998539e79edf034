"""The self-tests that an export's C carries beside the policy's: of the early exits' features, of a whole network."""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from edgerl.deploy import toolchain
from edgerl.deploy.machines.cortex import Cortex
from edgerl.deploy.machines.streams import Streams

_DECLARATION = re.compile(r"^int (\w+_self_test)\(void\);", re.MULTILINE)


def find(folder: Path, listed: Iterable[str], name: str) -> dict[str, str]:
    """Function → header, for each `int …_self_test(void);` in the listed headers of the folder but `NAME.h`."""
    headers = sorted(file for file in listed if re.fullmatch(r"\w+\.h", file) and file != f"{name}.h")
    texts = {name: (folder / name).read_text(errors="replace") for name in headers}
    return {function: name for name, text in texts.items() for function in _DECLARATION.findall(text)}


def is_code(name: str) -> bool:
    """Whether the tests' program compiles or includes a file of the folder."""
    return re.fullmatch(r"\w+\.[ch]", name) is not None


def run(machine: Streams | Cortex, folder: Path, listed: Iterable[str], tests: dict[str, str]) -> None:
    """Compiles the listed C files at the top of the folder into one program, and calls the tests of `find`.

    Raises:
      ToolError: it does not compile, a sanitizer stopped it, or a test failed.
    """
    sources = sorted(folder / name for name in listed if re.fullmatch(r"\w+\.c", name))
    includes = "\n".join(f'#include "{header}"' for header in dict.fromkeys(tests.values()))
    failures = " + ".join(f"({function}() != 0)" for function in tests)
    text = (
        f'{includes}\n#include "io.h"\n\nint main(void)\n{{\n    (void)fill, (void)drain;\n    return {failures};\n}}\n'
    )
    with tempfile.TemporaryDirectory() as temporary:
        main = Path(temporary) / "main.c"
        main.write_text(text)
        machine.call([*sources, main], [folder, toolchain.harness("")], Path(temporary))
