"""An ESP-IDF project: the export as a component with its manifest, and a main program that answers on the console."""

from collections.abc import Mapping

from edgerl import __version__
from edgerl.deploy.targets import project
from edgerl.deploy.targets.example import Example, common


def component(name: str) -> str:
    """What the component is called."""
    return f"edgerl_{name}"


def generate(sources: Mapping[str, str], name: str, example: Example, readme: str) -> dict[str, str]:
    """Path in the export → text.

    Args:
      sources: the export's C headers and sources.
      name: of the export.
      example: what the main program does.
      readme: of the component.
    """
    made, folder = component(name), f"esp_idf/components/{component(name)}"
    code = sorted(file for file in sources if file.endswith(".c"))
    listed = " ".join(f'"{file}"' for file in code)
    headers = {f"{folder}/include/{file}": text for file, text in sources.items() if file.endswith(".h")}
    manifest = _MANIFEST.format(version=__version__, licence=project.LICENCE)
    return headers | {
        f"{folder}/CMakeLists.txt": f'idf_component_register(SRCS {listed} INCLUDE_DIRS "include")\n',
        f"{folder}/idf_component.yml": manifest,
        f"{folder}/README.md": readme,
        **{f"{folder}/{file}": sources[file] for file in code},
        "esp_idf/CMakeLists.txt": (
            "cmake_minimum_required(VERSION 3.16)\n"
            "include($ENV{IDF_PATH}/tools/cmake/project.cmake)\n"
            f"project({made}_example)\n"
        ),
        "esp_idf/sdkconfig.defaults": _DEFAULTS,
        "esp_idf/main/CMakeLists.txt": f'idf_component_register(SRCS "main.c" REQUIRES {made} esp_hw_support)\n',
        "esp_idf/main/main.c": _main(example),
    }


_MANIFEST = """\
version: "{version}"
description: "A decision by EdgeRL: int8 network in C99, no heap, no dependency"
license: "{licence}"
tags:
  - tinyml
  - reinforcement-learning
dependencies:
  idf: ">=5.0"
"""

_DEFAULTS = """\
# The generated code chooses its own optimisation; what calls it gains from this.
CONFIG_COMPILER_OPTIMIZATION_PERF=y
CONFIG_ESP_MAIN_TASK_STACK_SIZE=8192
"""


def _main(example: Example) -> str:
    values = {
        "@HEADER@": example.header,
        "@WORD@": example.word,
        "@ABOUT@": example.about,
        "@COMMON@": common(example),
        "@TESTS@": example.tests,
        "@TOTAL@": example.total,
        "@START@": f"    {example.start}\n" if example.start else "",
    }
    text = _MAIN
    for key, value in values.items():
        text = text.replace(key, value)
    return text


_MAIN = """\
/* On the console, line by line: @ABOUT@ (`@WORD@: [f f f f]`). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esp_cpu.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "@HEADER@"

@COMMON@
void app_main(void)
{
    size_t length = 0;
    uint32_t start;
    const int failures = @TESTS@;
    printf("self-test: %d of %d failed\\n", failures, @TOTAL@);
    if (failures != 0) {
        return; /* this processor computes something else: it must not decide */
    }
@START@    start = (uint32_t)esp_cpu_get_cycle_count();
    decide();
    printf("cycles: %lu a decision\\n", (unsigned long)((uint32_t)esp_cpu_get_cycle_count() - start));
    fflush(stdout);
    for (;;) {
        const int c = getchar();
        if (c == EOF) {
            clearerr(stdin);
            vTaskDelay(1); /* the console does not wait: let the idle task, and its watchdog, run */
        } else if (c != '\\n' && c != '\\r') {
            if (length + 1 < sizeof line) {
                line[length++] = (char)c;
            }
        } else if (length > 0) {
            line[length] = '\\0';
            length = 0;
            if (parse(line)) {
                decide();
                answer();
                printf("%s\\n", reply);
            } else {
                printf("error: expected @WORD@: [ and %d numbers ]\\n", COUNT);
            }
            fflush(stdout);
        }
    }
}
"""
