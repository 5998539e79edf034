"""What cppcheck, its MISRA addon, clang-tidy and reckless optimisation make of the generated C."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from variants import seldom

from edgerl import deploy, make
from edgerl.deploy import int8_policy, toolchain, vectors
from edgerl.deploy.targets.misra import DEVIATIONS
from edgerl.deploy.toolchain import Target


@pytest.fixture(scope="module", params=["relu", *seldom("tanh")])
def folder(request, make_policy, observations, tmp_path_factory):
    """An export of either kind: with the rows of zeros that it skips, and with tables."""
    out = tmp_path_factory.mktemp("checked") / request.param
    deploy.export(make_policy((32, 32), request.param), observations, out, env=make("CartPole-v1"))
    return out


@pytest.mark.skipif(shutil.which("cppcheck") is None, reason="cppcheck (Debian package) is not installed")
def test_cppcheck_finds_what_the_readme_lists(folder):
    options = ["--enable=warning,performance,portability", "--addon=misra", "--std=c99", "--quiet"]
    found = subprocess.run(["cppcheck", *options, folder / "policy.c"], capture_output=True, text=True, check=True)
    ids = re.findall(r"\[([a-zA-Z]\w+|misra-c2012-[\d.]+)\]$", found.stderr, re.MULTILINE)
    rules = {name.removeprefix("misra-c2012-") for name in ids if name.startswith("misra")}
    assert rules <= set(DEVIATIONS)
    assert len(rules) > 5
    others = {name for name in ids if not name.startswith("misra")}
    assert others <= {"shiftTooManyBitsSigned"}  # a negative number shifted by 31, which is asserted to be arithmetic
    for rule in DEVIATIONS:
        assert f"| {rule} |" in (folder / "README.md").read_text()


@pytest.mark.long
@pytest.mark.skipif(shutil.which("clang-tidy") is None, reason="clang-tidy (Debian package) is not installed")
def test_clang_tidy_finds_nothing(folder):
    left = ("easily-swappable-parameters", "signed-char-misuse", "narrowing-conversions")  # style, int8 is a number
    checks = ",".join(["-*", "clang-analyzer-*", "bugprone-*", *(f"-bugprone-{name}" for name in left)])
    command = ["clang-tidy", folder / "policy.c", f"--checks={checks}", "--", "-std=c99"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not re.findall(r"policy\.[ch]:\d+:\d+: (?:warning|error).*", found.stdout), found.stdout


@pytest.mark.parametrize("level", ["-Ofast", "-O0"])
def test_reckless_arithmetic_does_not_break_nan(folder, tmp_path, level):
    deployed = int8_policy.read(folder)
    obs = vectors.make(deployed.quantiser, np.zeros((1, 4), np.float32), 4000)
    assert np.isnan(obs).any()
    inputs, scores = int8_policy.evaluate(deployed.policy, obs)
    target = Target("reckless", "cc", link=(level, "-ffast-math"))
    records = toolchain.run_program(
        target, toolchain.compile_program(target, folder, tmp_path), obs, toolchain.Form(4, 2)
    )
    np.testing.assert_array_equal(records["input"], inputs)
    np.testing.assert_array_equal(records["scores"], scores)
