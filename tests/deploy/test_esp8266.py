"""With the macro that Arduino's core for the ESP8266 sets, weights stay in flash and are read by aligned words only.

The chip answers 32-bit reads of its flash and stops at others; the constants that a linker script does not send there
are copied into RAM, where every read is possible.
"""

import dataclasses
import fnmatch
import re
import subprocess

import numpy as np
import pytest
from helpers.perceptrons import policy_of, write

from edgerl.deploy import int8_policy, toolchain, vectors
from edgerl.deploy.machines.streams import XTENSA

OBJDUMP = "xtensa-lx106-elf-objdump"
pytestmark = pytest.mark.skipif(XTENSA.missing(OBJDUMP) is not None, reason=str(XTENSA.missing(OBJDUMP)))
# What the core's linker script, eagle.app.v6.common.ld, sends to the flash besides code.
TO_FLASH = (".irom0.literal", ".irom.literal", ".irom.text.literal", ".irom0.text*", ".irom.text", ".irom.text.*")


def compiled(folder, *more):
    made = folder / "policy.o"
    command = [XTENSA.compiler, *toolchain.STRICT, *XTENSA.flags, *more, "-O2", "-c", folder / "policy.c", "-o", made]
    subprocess.run(command, check=True)
    return made


def dumped(made, *options):
    return subprocess.run([OBJDUMP, *options, made], capture_output=True, text=True, check=True).stdout


def sections(made):
    """Symbol -> section."""
    lines = re.findall(r"^\S+ .{7} (\S+)\t\S+ (?:\.hidden )?(\S+)$", dumped(made, "-t"), re.MULTILINE)
    return {symbol: section for section, symbol in lines}


def test_weights_lie_in_flash_on_word_boundaries(tmp_path):
    write(tmp_path, policy_of((4, 16, 16, 2), "relu"))
    made = compiled(tmp_path, "-DESP8266")
    weights = {symbol: section for symbol, section in sections(made).items() if symbol.startswith("weights_")}
    assert len(weights) == 3
    for section in weights.values():
        assert any(fnmatch.fnmatchcase(section, pattern) for pattern in TO_FLASH), section
        alignment = re.search(rf" {re.escape(section)} .* 2\*\*(\d+)$", dumped(made, "-h"), re.MULTILINE)[1]
        assert int(alignment) >= 2
    assert sections(made)["bias_0"].startswith(".rodata")
    others = sections(compiled(tmp_path))
    assert others["weights_0"].startswith(".rodata")


@pytest.mark.parametrize("outputs", [2, 16, 17])
def test_weights_are_read_by_words(tmp_path, outputs):
    """A layer without scales and tables reads nothing else by bytes but, by one instruction, its input."""
    write(tmp_path, policy_of((4, outputs), "relu", "accumulators"))
    loads = {}
    for more in ((), ("-DESP8266",)):
        text = dumped(compiled(tmp_path, *more), "-d", "-j", ".text") + "\n\n"
        loads[more] = re.search(r"<policy_infer\w*>:\n(.*?)\n\n", text, re.DOTALL)[1].count("l8ui")
    assert loads["-DESP8266",] == 1 < loads[()]


def test_decides_the_same(tmp_path):
    policy = policy_of((4, 16, 17, 3), "tanh")
    observations = write(tmp_path, policy, 300)
    target = dataclasses.replace(XTENSA, flags=(*XTENSA.flags, "-DESP8266"))
    program = toolchain.compile_program(target, tmp_path, tmp_path)
    inputs, scores = int8_policy.evaluate(policy.policy, observations)
    expected = vectors.records(policy.policy, inputs, scores)
    found = toolchain.run_program(target, program, np.asarray(observations), expected.form)
    assert not vectors.different(found, expected.records).any()
