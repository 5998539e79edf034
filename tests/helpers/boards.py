"""The programs that an export brings for boards, built for this computer behind stand-ins for the boards' headers."""

import subprocess
from pathlib import Path

from edgerl.deploy import toolchain

_ARDUINO = r"""
#include <cstdio>
#include <cstdlib>
#include <type_traits>
#define F(text) text
#define F_CPU 16000000UL
static unsigned long micros() { static unsigned long now; return now += 160; }
struct Port {
  void begin(long) {}
  void print(const char* text) { std::fputs(text, stdout); }
  void print(unsigned long number) { std::printf("%lu", number); }
  void print(int number) { std::printf("%d", number); }
  void println(const char* text) { std::puts(text); }
  void println() { std::puts(""); }
  int available() { return 1; }
  int read() { const int c = std::getchar(); if (c == EOF) { std::exit(0); } return c; }
};
static Port Serial;
"""
_WARNINGS = ("-Wall", "-Wextra", "-Werror")


def arduino(export: Path, out: Path) -> Path:
    """The sketch of the export's Arduino library, as a program that reads standard input."""
    (library,) = (export / "arduino").iterdir()
    (sketch,) = library.glob("examples/*/*.ino")
    (out / "sketch.cc").write_text(
        f"{_ARDUINO}\n{sketch.read_text()}\nint main() {{ setup(); for (;;) {{ loop(); }} }}\n"
    )
    include, objects = ["-I", library / "src"], []
    for source in sorted((library / "src").glob("*.c")):
        objects.append(out / f"{source.stem}.o")
        subprocess.run(["cc", *include, "-c", source, "-o", objects[-1]], check=True)
    subprocess.run(["c++", *_WARNINGS, *include, out / "sketch.cc", *objects, "-o", out / "board"], check=True)
    return out / "board"


def esp_idf(project: Path, out: Path) -> Path:
    """The main program of the export's ESP-IDF project, `project`, as a program that reads standard input."""
    (component,) = (project / "components").iterdir()
    (out / "host.c").write_text("void app_main(void);\nint main(void) { app_main(); return 0; }\n")
    sources = [out / "host.c", project / "main" / "main.c", *sorted(component.glob("*.c"))]
    include = ["-I", component / "include", "-I", toolchain.harness("esp_idf")]
    subprocess.run(["cc", "-std=c99", *_WARNINGS, *include, *sources, "-o", out / "console"], check=True)
    return out / "console"


def answers(program: Path, sent: str) -> list[str]:
    """The lines that a board says after these."""
    return subprocess.run([program], input=sent, capture_output=True, text=True, check=True).stdout.splitlines()
