"""The generated C: compiles everywhere without a warning, is small, and its self-test can fail."""

import re
import shutil
import subprocess

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.perceptrons import Layer, layers_of, network, policy_of, write

from benchmarks.equality import deployed
from edgerl import UserError
from edgerl.deploy import counting, toolchain
from edgerl.deploy.tensor import Quantisation

MISSING = toolchain.RV32.missing("qemu-system-riscv32")
needs_rv32 = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(
    ("sizes", "activation", "per_channel", "argmax"),
    [
        ((4, 64, 64, 2), "relu", False, "outputs"),
        ((3, 17, 1), "sigmoid", True, "outputs"),
        ((1, 5), "relu", False, "accumulators"),
        ((4, 16, 17), "relu", False, "accumulators"),
        ((7, 9, 33, 5), "tanh", False, "outputs"),
    ],
)
def test_compiles_without_a_warning(tmp_path, compiler, sizes, activation, per_channel, argmax):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} (Debian package {compiler}) is not installed")
    write(tmp_path, policy_of(sizes, activation, argmax, per_channel))
    more = ["-Wconversion", "-Wshadow", "-Wcast-qual", "-Wstrict-prototypes"] if compiler == "gcc" else []
    for level in ("-O0", "-O2", "-Os"):
        command = [compiler, *toolchain.STRICT, *more, level, "-c", tmp_path / "policy.c", "-o", tmp_path / "policy.o"]
        subprocess.run(command, check=True)


def test_the_header_works_in_cpp(tmp_path):
    write(tmp_path, policy_of((2, 3, 2), "relu"))
    (tmp_path / "use.cc").write_text('#include "policy.h"\nint main() { return policy_self_test(); }\n')
    subprocess.run(["cc", "-c", tmp_path / "policy.c", "-o", tmp_path / "policy.o"], check=True)
    subprocess.run(["c++", tmp_path / "use.cc", tmp_path / "policy.o", "-o", tmp_path / "use"], check=True)
    assert subprocess.run([tmp_path / "use"], check=False).returncode == 0


def test_the_self_test_counts_failures(tmp_path):
    write(tmp_path, policy_of((4, 8, 2), "relu"))
    text = (tmp_path / "policy.c").read_text()
    wrong = re.sub(r"(test_actions\[POLICY_TEST_VECTORS\] = \{)[^}]*", r"\g<1>7, 7, 7, 7, 7, 7", text)
    (tmp_path / "policy.c").write_text(wrong)
    program = toolchain.compile_program(toolchain.HOST, tmp_path, tmp_path)
    with pytest.raises(toolchain.ToolError, match="ended with 6"):
        toolchain.run_program(toolchain.HOST, program, np.zeros((3, 4), np.float32), toolchain.Form(4, 2))


def test_ties_go_to_the_lowest_action(tmp_path):
    scale = Quantisation(np.float32(1 / 128), 0)
    layer = Layer(np.zeros((3, 2), np.int8), np.array([5, 9, 9], np.int32), np.float32([1.0]), scale, "none")
    policy = deployed(network(scale, layer))
    observations = write(tmp_path, policy)
    program = toolchain.compile_program(toolchain.HOST, tmp_path, tmp_path)
    assert (
        toolchain.run_program(toolchain.HOST, program, observations, toolchain.Form(observations.shape[1], 3))[
            "action"
        ]["number"]
        == 1
    ).all()
    assert int(policy.policy(None, jnp.zeros(2))) == 1


def test_accumulators_part_what_outputs_merge(tmp_path):
    """Sums 5, 9, 10, 10 are all 0 as int8; the largest sum is the third, and the fourth is equal to it."""
    scale = Quantisation(np.float32(1.0), 0)
    layer = Layer(np.zeros((4, 2), np.int8), np.array([5, 9, 10, 10], np.int32), np.float32([0.01]), scale, "none")
    made = network(scale, layer)
    for argmax, best in (("outputs", 0), ("accumulators", 2)):
        policy = deployed(made, argmax)
        assert int(policy.policy(None, jnp.zeros(2))) == best
        observations = write(tmp_path / argmax, policy)
        program = toolchain.compile_program(toolchain.HOST, tmp_path / argmax, tmp_path)
        dtype = np.int8 if argmax == "outputs" else np.int32
        records = toolchain.run_program(
            toolchain.HOST, program, observations, toolchain.Form(observations.shape[1], 4, dtype)
        )
        assert (records["action"]["number"] == best).all()
        np.testing.assert_array_equal(records["scores"][0], [0] * 4 if argmax == "outputs" else [5, 9, 10, 10])


def test_accumulators_with_a_scale_each_are_not_compared():
    with pytest.raises(UserError, match="one scale for all outputs"):
        policy_of((3, 4), "relu", "accumulators", per_channel=True)


@needs_rv32
@pytest.mark.parametrize(("activation", "limit"), [("relu", 16_100), ("tanh", 17_000)])
def test_instructions_of_the_worst_case(tmp_path, activation, limit):
    """No input is zero and no ReLU closes: nothing can be skipped."""
    *hidden, last = layers_of((4, 64, 64, 2), activation)
    if activation == "relu":
        wide = Quantisation(np.float32(16), -128)
        hidden = [layer._replace(bias=np.full_like(layer.bias, 400_000), output=wide) for layer in hidden]
    policy = deployed(network(Quantisation(np.float32(1 / 128), 0), *hidden, last))
    write(tmp_path, policy)
    inputs = np.random.default_rng(0).integers(1, 127, (20, 4)).astype(np.int8)
    found = policy.policy.program.before(inputs, 2)
    assert activation == "tanh" or (np.asarray(found) > -128).all()
    counts = counting.instructions(tmp_path, tmp_path, inputs, inputs.astype(np.float32))
    assert counts[:, 0].max() < limit


@needs_rv32
def test_a_small_policy_fits_two_kilobytes(tmp_path):
    write(tmp_path, policy_of((4, 16, 16, 2), "relu"))
    sizes = toolchain.measure_object(toolchain.RV32, tmp_path, tmp_path)
    assert sizes["total"] <= 2048
    assert sizes["data"] == sizes["bss"] == 0
    assert 0 < sizes["stack"] < 400
