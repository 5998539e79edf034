"""Cycles on simulated RISC-V cores: of instructions whose cost their documentation gives, and of an export."""

import pytest

from edgerl.deploy import counting, toolchain
from edgerl.deploy.cores import CORES
from edgerl.deploy.toolchain import ToolError

# 64 times the same in a loop whose last round comes from VexRiscv's cache.
PROGRAM = """
#include <stdint.h>
static uint32_t clock(void) {{ return *(volatile uint32_t *)0x80000010; }}
static void put(uint32_t value)
{{
    char digits[10];
    int n = 0;
    do {{ digits[n++] = (char)('0' + value % 10); value /= 10; }} while (value != 0);
    while (n > 0) {{ *(volatile uint8_t *)0x80000000 = (uint8_t)digits[--n]; }}
}}
static int32_t memory[4];
int main(void)
{{
    uint32_t spent = 0;
    for (int i = 0; i < 3; i++) {{
        const uint32_t start = clock();
        __asm__ volatile(".rept 64\\n{instruction}\\n.endr" : : "r"(memory) : "t0", "memory");
        spent = clock() - start;
    }}
    put(spent / 64);
    return {status};
}}
"""


def run(core, tmp_path, instruction, status=0):
    if reason := core.missing():
        pytest.skip(reason)
    (tmp_path / "main.c").write_text(PROGRAM.format(instruction=instruction, status=status))
    return core.run([tmp_path / "main.c"], [toolchain.harness("")], tmp_path)


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_instructions_cost_what_the_documentation_says(core, tmp_path):
    """Ibex's reference guide, "Pipeline Details": a load waits for the memory, products 3 or 1, high words 4 or 2."""
    expected = {
        "Ibex small": [1, 2, 3, 4],
        "Ibex maximum performance": [1, 1, 1, 2],
        "VexRiscv": [1, 1, 1, 1],
    }[core.name]
    instructions = ["add t0, t1, t2", "lw t0, 0(%0)", "mul t0, t1, t2", "mulh t0, t1, t2"]
    assert [int(run(core, tmp_path, instruction)) for instruction in instructions] == expected


def test_a_program_that_fails_says_so(tmp_path):
    with pytest.raises(ToolError, match="status 3"):
        run(CORES[0], tmp_path, "nop", status=3)


def test_a_trap_ends_the_program(tmp_path):
    with pytest.raises(ToolError, match="status 99"):
        run(CORES[0], tmp_path, "unimp")


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "verilator" in CORES[0].missing()
    assert "edgerl[cycles]" in type(CORES[0])("none", "no_such_module").missing()


def test_the_estimate_for_an_esp32_c3_is_a_bracket_that_says_so():
    def of(mean):
        return {"act": {"min": 1.0, "mean": mean, "max": 99.0}}

    found = counting.esp32_c3({"Ibex small": of(60.0), "Ibex maximum performance": of(33.0), "VexRiscv": "absent"})
    assert found["act"] == {"low": 33.0, "high": 60.0}
    assert "estimate" in found["basis"]
    assert counting.esp32_c3({"Ibex small": of(60.0), "Ibex maximum performance": "no verilator"}) == "no verilator"
    assert counting.esp32_c3({}) == "not counted"
