"""An ESP-IDF project: the policy as a component with its manifest, and a main program that answers on the console."""

from edgerl import __version__
from edgerl.deploy.targets import sketch

_COMPONENT = "esp_idf/components/edgerl_policy"


def generate(sources: dict[str, str]) -> dict[str, str]:
    """Path in the export → text; `sources` are `policy.h` and `policy.c`."""
    return {
        f"{_COMPONENT}/CMakeLists.txt": 'idf_component_register(SRCS "policy.c" INCLUDE_DIRS "include")\n',
        f"{_COMPONENT}/idf_component.yml": (
            f'version: "{__version__}"\n'
            'description: "An int8 policy by EdgeRL: C99, no heap, no dependency"\n'
            "dependencies:\n"
            '  idf: ">=5.0"\n'
        ),
        f"{_COMPONENT}/include/policy.h": sources["policy.h"],
        f"{_COMPONENT}/policy.c": sources["policy.c"],
        "esp_idf/CMakeLists.txt": (
            "cmake_minimum_required(VERSION 3.16)\n"
            "include($ENV{IDF_PATH}/tools/cmake/project.cmake)\n"
            "project(edgerl_policy_example)\n"
        ),
        "esp_idf/main/CMakeLists.txt": 'idf_component_register(SRCS "main.c" REQUIRES edgerl_policy)\n',
        "esp_idf/main/main.c": _MAIN.replace("@PARSER@", sketch.PARSER),
    }


_MAIN = """\
/*
 * Answers `obs: [f f f f]` with `action: n`, line by line, on the console. The policy's component does the deciding.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

@PARSER@
void app_main(void)
{
    static char line[32 * POLICY_FEATURES + 16];
    float obs[POLICY_FEATURES];
    size_t length = 0;
    printf("self-test: %d of %d failed\\n", policy_self_test(), POLICY_TEST_VECTORS);
    for (;;) {
        const int c = getchar();
        if (c == EOF) {
            clearerr(stdin);
        } else if (c != '\\n' && c != '\\r') {
            if (length + 1 < sizeof line) {
                line[length++] = (char)c;
            }
        } else if (length > 0) {
            line[length] = '\\0';
            length = 0;
            if (parse(line, obs)) {
                printf("action: %d\\n", policy_act(obs));
            } else {
                printf("error: expected obs: [ and %d numbers ]\\n", POLICY_FEATURES);
            }
            fflush(stdout);
        }
    }
}
"""
