"""The exported sketch compiles and links with Arduino's own core for Uno and Mega, and leaves RAM to spare."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from edgerl import deploy, make
from edgerl.deploy.targets import arduino

CORE = Path("/usr/share/arduino/hardware/arduino/avr")
BOARDS = {"uno": ("atmega328p", "standard", 2048), "mega": ("atmega2560", "mega", 8192)}
missing = [name for name in ("avr-gcc", "avr-g++", "avr-size") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(
    bool(missing) or not CORE.is_dir(), reason="gcc-avr or arduino-core-avr (Debian packages) is not installed"
)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def library(make_policy, observations, tmp_path_factory):
    folder = tmp_path_factory.mktemp("arduino") / "export"
    deploy.export(make_policy((32, 32), "relu"), observations, folder, name="pole", env=make("CartPole-v1"))
    return folder / "arduino" / "EdgeRL_Pole"


@pytest.mark.long
@pytest.mark.parametrize("board", BOARDS)
def test_the_sketch_links(library, tmp_path, board):
    mcu, variant, ram = BOARDS[board]
    include = [f"-I{CORE / 'cores' / 'arduino'}", f"-I{CORE / 'variants' / variant}", f"-I{library / 'src'}"]
    flags = [f"-mmcu={mcu}", "-DF_CPU=16000000L", "-DARDUINO=10819", "-DARDUINO_ARCH_AVR", "-Os", "-flto"]
    flags += ["-ffunction-sections", "-fdata-sections", *include]
    sketch = tmp_path / "sketch.cpp"
    ino = library / "examples" / "serial_pole" / "serial_pole.ino"
    sketch.write_text(f"#include <Arduino.h>\n{ino.read_text()}")
    core = sorted((CORE / "cores" / "arduino").glob("*.c")) + sorted((CORE / "cores" / "arduino").glob("*.cpp"))
    objects = []
    for source in [library / "src" / "pole.c", sketch, *core]:
        compiler = (
            ["avr-gcc", "-std=gnu11"] if source.suffix == ".c" else ["avr-g++", "-std=gnu++11", "-fno-exceptions"]
        )
        warnings = ["-w", "-DDECIMAL_DIG=17"] if source in core else ["-Wall", "-Wextra", "-Werror"]
        objects.append(tmp_path / f"{source.name}.o")
        run(*compiler, *flags, *warnings, "-c", source, "-o", objects[-1])
    run("avr-gcc", *flags, "-Wl,--gc-sections", *objects, "-lm", "-o", tmp_path / "sketch.elf")
    sizes = dict(
        zip(("text", "data", "bss"), map(int, run("avr-size", tmp_path / "sketch.elf").split()[6:9]), strict=True)
    )
    assert sizes["data"] + sizes["bss"] + 500 < ram  # the stack takes less than 400
    assert sizes["text"] + sizes["data"] < 32_256  # an Uno's flash without its boot loader


def test_the_library_is_laid_out_as_arduino_asks(library):
    """The rules of Arduino's library specification, of the fields and of the folders."""
    lines = (library / "library.properties").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    needed = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert needed | {"includes"} <= set(fields)
    assert all(fields[name] for name in needed)
    assert fields["name"] == library.name == arduino.library("pole")
    assert len(fields["version"].split(".")) == 3
    # Nobody is named who does not know of it: example.com belongs to nobody, by RFC 2606.
    assert fields["maintainer"].endswith("@example.com>")
    assert fields["url"].startswith("https://example.com/")
    assert "placeholders" in (library.parents[1] / "README.md").read_text()
    assert not {"repository", "authors"} & set(json.loads((library / "library.json").read_text()))
    assert fields["category"] == "Data Processing"
    assert (library / "src" / fields["includes"]).is_file()
    assert {path.name for path in library.iterdir()} == {
        *("library.properties", "library.json", "README.md", "src", "examples"),
    }
    for example in (library / "examples").iterdir():
        assert (example / f"{example.name}.ino").is_file()
