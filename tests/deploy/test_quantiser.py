"""The generated quantiser's integers against the float product in JAX: any gain, any bit pattern of an observation."""

import jax
import numpy as np
import pytest
from helpers.perceptrons import layers_of, network, write

from edgerl.deploy import integer, toolchain
from edgerl.deploy.calibration import Quantiser
from edgerl.deploy.int8_policy import Deployed
from edgerl.deploy.machines import ALL
from edgerl.deploy.tensor import Quantisation

FEATURES = 64
SLOW = [machine for machine in ALL if machine.name in ("rv32imc", "Cortex-M0", "Xtensa lx106", "ATmega2560")]


def quantiser(rng):
    """Gains of every size, in the first rows of common ones; offsets as a calibration has them and far larger."""
    gain = np.exp2(rng.uniform(-126, 127, FEATURES)) * rng.uniform(1, 2, FEATURES)
    gain[: FEATURES // 2] = np.exp2(rng.uniform(-3, 12, FEATURES // 2))
    gain[:4] = 2.0**-126, np.finfo(np.float32).max, 1.0, 2.0
    offset = rng.integers(-(2**15), 2**15, FEATURES) * (rng.random(FEATURES) < 0.3) + rng.integers(-128, 128, FEATURES)
    return Quantiser(gain.astype(np.float32), offset.astype(np.int32))


def observations(rng, gain, rows):
    """A quarter any bits; a quarter of products of 1/4 to 2^21 half steps; half at and beside whole ones."""
    bits = rng.integers(0, 2**32, (rows, FEATURES), np.uint32).view(np.float32)
    sizes = rng.choice([-1, 1], bits.shape) * np.exp2(rng.uniform(-2, 21, bits.shape))
    whole = np.round(sizes)
    with np.errstate(over="ignore", under="ignore"):
        sized, exact = ((x / gain.astype(np.float64)).astype(np.float32) for x in (sizes, whole))
    beside = (exact.view(np.uint32) + rng.integers(-1, 2, bits.shape).astype(np.uint32)).view(np.float32)
    kind = np.arange(rows)[:, None] % 4
    return np.select([kind == 0, kind == 1], [bits, sized], beside)


def made(seed, rows):
    """(deployed policy, observations [rows, features], int8 that JAX makes of them)."""
    rng = np.random.default_rng(seed)
    first = Quantisation(np.float32(1 / 128), 0)
    kept = quantiser(rng)
    policy = Deployed(network(first, *layers_of((FEATURES, 2), "relu")), kept, "outputs")
    obs = observations(rng, kept.gain, rows)
    expected = np.asarray(jax.jit(integer.quantise)(obs, kept.gain, kept.offset))
    return policy, obs, expected


@pytest.mark.parametrize("seed", range(3))
def test_on_this_host(tmp_path, seed):
    policy, obs, expected = made(seed, 4000)
    write(tmp_path, policy)
    program = toolchain.compile_program(toolchain.HOST, tmp_path, tmp_path)
    found = toolchain.run_program(toolchain.HOST, program, obs, toolchain.Form(FEATURES, 2))["input"]
    assert (found != expected).sum() == 0
    assert len(np.unique(expected[:, 0:32])) == 256


@pytest.mark.parametrize("machine", SLOW, ids=lambda machine: machine.name)
def test_on_other_processors(tmp_path, machine):
    if reason := machine.missing():
        pytest.skip(reason)
    policy, obs, expected = made(7, 400)
    write(tmp_path, policy)
    found = machine.records(tmp_path, "policy", obs, toolchain.Form(FEATURES, 2))["input"]
    assert (found != expected).sum() == 0


def test_float_modes_change_nothing(tmp_path):
    """There is no float operation that a fast mode could flush, contract or round otherwise."""
    policy, obs, expected = made(9, 1000)
    write(tmp_path, policy)
    text = (tmp_path / "policy.c").read_text()
    code = text[text.index("FAST void policy_quantise") : text.index("int policy_argmax")]
    assert code.count("float") == 2  # what it is given, and the union that shows its bits
    toolchain.shim(tmp_path, "policy")
    sources = [tmp_path / "policy.c", toolchain.harness("vectors.c")]
    program = tmp_path / "fast"
    toolchain.run(
        ["cc", "-Ofast", *map(str, sources), f"-I{tmp_path}", f"-I{toolchain.harness('')}", "-o", str(program)]
    )
    found = toolchain.run_program(toolchain.HOST, program, obs, toolchain.Form(FEATURES, 2))["input"]
    assert (found != expected).sum() == 0
