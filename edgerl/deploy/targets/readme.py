"""The README of an export, and of its packages: what is there, how it is built and flashed, what the board says."""

from collections.abc import Sequence

from edgerl.deploy.folder import PAGE
from edgerl.deploy.targets.arduino import library
from edgerl.deploy.targets.esp_idf import component
from edgerl.deploy.targets.example import Example
from edgerl.deploy.targets.misra import section

_WHOLE = """\
# {name}: {title}

{environment}

Written by EdgeRL {version}; do not edit. `edgerl verify` of this folder compares the computations below, bit for bit.

| what | where |
|---|---|
| C99 for any microcontroller: integers inside, no heap, no library | {code} |
| an ESP-IDF project with the component `{component}` | `esp_idf/` |
| an Arduino library, which PlatformIO takes as well | `arduino/{library}/` |
{page}| the model for TensorFlow Lite for Microcontrollers | `{name}_int8.tflite` |
| the same as a C array, and a program around it | `{name}_model_data.h`, `{name}_model_data.cc`, `tflm/` |
| what Python reads: float and int8 policy, observations, measurements | `.npz` files, `report.json` |

Every file, symbol and macro that goes into firmware begins with `{name}`: exports of other names live beside it in one
program (`edgerl export RUN --out FOLDER --name NAME`).

{use}

## ESP32-C3 and its kin, with ESP-IDF 5 or newer

    cd esp_idf
    idf.py set-target esp32c3
    idf.py build flash monitor

## Arduino

Arduino IDE: *Sketch, Include Library, Add .ZIP Library* with a ZIP of `arduino/{library}`, then *File, Examples,
{library}*. On a command line, for an Arduino Uno at `PORT`:

    arduino-cli lib install --zip-path {library}.zip
    arduino-cli compile --fqbn arduino:avr:uno --upload --port PORT arduino/{library}/examples/serial_{name}

PlatformIO: `lib_deps = symlink://PATH/arduino/{library}` in `platformio.ini`.

Before you publish the library: `maintainer` and `url` in its `library.properties` are placeholders, which Arduino asks
to be there. Espressif's manifest leaves both out, which it allows.

{console}

{analysis}"""

_PAGE = "| a page in which this C, as WebAssembly, plays: open it in a browser, or `edgerl demo FOLDER` | `{page}` |\n"

_USE = """\
## In your own program

Compile {code} with your program, or take one of the packages. {header} says what the numbers mean.

    #include "{header}"

    if ({tests} != 0) {{ /* this processor computes something else: stop */ }}
"""

_CONSOLE = """\
## What the example says

115200 baud; a line in, a line out; {about}.

    self-test: 0 of N failed
    cycles: N a decision
    > {word}: [0.1 0.2 ...]
    {says}

A line that does not fit is answered by `error: ...`. After a failed self-test nothing is decided. A line may end with
`*` and two hexadecimal digits, the exclusive or of all characters before the star: then it must be right, and so does
the answer. `edgerl serial` plays whole episodes that way.
{memory}"""

_MEMORY = """
The policy remembers. A line that begins with `start:` instead of `{word}:` forgets what was before: it is the first of
an episode. `#` and a digit behind the numbers, `{word}: [0.1 0.2]#1`, tell a question that is asked again from the next
one: the same digit twice in a row is the same step.
"""

_PACKAGE = """\
# {title}

{environment}

Written by EdgeRL {version}: an int8 network in C99, integers inside, no heap, no dependency.

{use}
{console}"""


def generate(
    name: str, version: str, title: str, environment: Sequence[str], code: Sequence[str], example: Example, page: bool
) -> tuple[str, str]:
    """(README of the export, README of its packages).

    Args:
      title: what the export is, in a line.
      environment: lines on the environment.
      code: the C sources.
      page: whether the export has one that plays in a browser.
    """
    sources = ", ".join(f"`{file}`" for file in code)
    use = _USE.format(code=sources, header=example.header, tests=example.tests)
    says = example.says.replace("%d", "0")
    memory = _MEMORY.format(word=example.word) if example.restart else ""
    console = _CONSOLE.format(about=example.about, word=example.word, says=says, memory=memory)
    values = {"name": name, "version": version, "title": title, "environment": "\n".join(environment)}
    packages = {"component": component(name), "library": library(name), "code": sources}
    return (
        _WHOLE.format(
            **values,
            **packages,
            page=_PAGE.format(page=PAGE) if page else "",
            use=use.rstrip(),
            console=console.rstrip(),
            analysis=section(),
        ),
        _PACKAGE.format(**values, use=use, console=console),
    )
