"""`deploy`, `coremark` and `cascade`: toy networks through the code that compiles, simulates and compares."""

import shutil

import cascade
import coremark
import deploy as bench
import deploy_peers
import jax.numpy as jnp
import numpy as np
import on_cores
import peers
import pytest

from edgerl import deploy
from edgerl.deploy import graph, int8_policy
from edgerl.deploy.cores import CORES
from edgerl.deploy.ops import Conv, Mean
from edgerl.envs.policy import MLPPolicy
from edgerl.tasks.early_exit.trunk.int8 import Int8Trunk

RNG = np.random.default_rng(0)
KERNELS = [RNG.normal(size=shape).astype(np.float32) for shape in ((3, 4), (4, 2))]
BIASES = [RNG.normal(size=n).astype(np.float32) for n in (4, 2)]
OBSERVATIONS = RNG.normal(size=(40, 3)).astype(np.float32)
IBEX = CORES[0]


@pytest.fixture
def one_core(monkeypatch):
    if reason := IBEX.missing():
        pytest.skip(reason)
    monkeypatch.setattr(on_cores, "CORES", (IBEX,))
    monkeypatch.setattr(on_cores, "ROWS", 2)


def decided():
    hidden = np.maximum(OBSERVATIONS @ KERNELS[0] + BIASES[0], 0)
    return (hidden @ KERNELS[1] + BIASES[1]).argmax(axis=1)


def test_float_c_decides_as_numpy_and_costs_what_soft_floats_cost(one_core, tmp_path):
    found = on_cores.measure(deploy_peers.plain(KERNELS, BIASES, tmp_path), OBSERVATIONS, decided())
    cycles = found["cycles"][IBEX.name]
    assert 20 * 50 < cycles["min"] <= cycles["mean"] <= cycles["max"] < 20 * 1000  # 20 products and sums
    assert found["setting"] in deploy_peers.LEVELS
    assert found["flash_bytes"] > 4 * 26  # the weights
    assert found["ram_bytes"] >= 2 * 4 * 4  # two buffers
    assert 0 < found["stack_bytes"] < 1000


def test_a_wrong_decision_is_no_result(one_core, tmp_path):
    found = on_cores.measure(deploy_peers.plain(KERNELS, BIASES, tmp_path), OBSERVATIONS, 1 - decided())
    assert found == {"failed": f"2 of 2 decisions on {IBEX.name} are not its reference's"}


def test_the_generated_c_decides_as_jax(one_core, tmp_path):
    policy = MLPPolicy(tuple(map(jnp.asarray, KERNELS)), tuple(map(jnp.asarray, BIASES)), "relu")
    deploy.export(policy, OBSERVATIONS, tmp_path / "int8")
    actions = np.asarray(int8_policy.evaluate(deploy.load(tmp_path / "int8"), OBSERVATIONS)[1]).argmax(axis=1)
    found = on_cores.measure(deploy_peers.ours(tmp_path / "int8", tmp_path), OBSERVATIONS, actions)
    assert found["cycles"][IBEX.name]["max"] < 2000  # floats would take 10,000
    assert found["ram_bytes"] == 0


def test_what_is_missing_is_named_in_the_table(monkeypatch, tmp_path):
    monkeypatch.delenv(deploy_peers.TFLM, raising=False)
    found = bench.on_board(lambda out: deploy_peers.tflm(tmp_path, out), tmp_path, OBSERVATIONS, decided())
    assert deploy_peers.TFLM in found["absent"]
    counted = {"cycles": {IBEX.name: "not installed: verilator"}, "flash_bytes": 7}
    shown = bench.rows({"contestants": {"a: TFLM": found, "a: int8": {"measured": counted}}})
    assert shown[0] == ["a: TFLM", f"absent: {found['absent']}"]
    assert shown[-1] == ["a: int8, cycles", "not installed: verilator"]


def test_emlearn_that_is_not_installed_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGERL_PEERS", str(tmp_path / "none"))
    with pytest.raises(peers.PeerAbsentError, match=r"peers\.py emlearn"):
        deploy_peers.emlearn(KERNELS, BIASES, "relu", tmp_path, install=False)


def test_ratios_and_goals_are_of_the_core_where_the_gain_is_least():
    def of(*cycles):
        return {"measured": {"cycles": {core.name: {"mean": c} for core, c in zip(CORES, cycles, strict=True)}}}

    found = {f"{bench.SHOWN}: int8": of(10.0, 20.0, 30.0), f"{bench.SHOWN}: TFLM": of(80.0, 120.0, 300.0)}
    assert bench.fewer(found, "TFLM") == 6.0
    assert bench.fewer(found, "float C") is None
    met = {name: goal["met"] for name, goal in bench.goals(found).items() if "fewer cycles" in name}
    assert sorted(met.values(), key=str) == [None, True]


def test_coremark_is_what_lowrisc_publishes():
    if reason := IBEX.missing():
        pytest.skip(reason)
    assert coremark.measure(IBEX, iterations=1) == pytest.approx(coremark.PUBLISHED[IBEX.name], rel=0.02)


def test_a_tiny_cascade_answers_as_jax_part_by_part(one_core):
    builder = graph.Builder((6, 6, 3))
    kernel, head = (RNG.normal(size=shape).astype(np.float32) for shape in ((4, 3, 3, 3), (5, 1, 1, 4)))
    x = builder.add(Conv, 0, weights=kernel, bias=np.zeros(4, np.float32), stride=2, activation="relu")
    builder.add(Conv, builder.add(Mean, x), weights=head, bias=np.zeros(5, np.float32))
    network = builder.graph()
    spans = graph.ranges(network, [RNG.normal(size=(4, 6, 6, 3)).astype(np.float32)])
    trunk = Int8Trunk(graph.quantise(network, spans), (1, 3))
    image = RNG.integers(-128, 128, (6, 6, 3)).astype(np.int8)
    found = cascade.measure(trunk, image, IBEX, most_macs=0)
    assert [part["part"] for part in found["parts"]] == ["stage 0", "head 0"]
    assert all(part["macs"] < part["cycles"] < 100 * part["macs"] + 10_000 for part in found["parts"])
    assert found["bytes"]["flash_bytes"] > sum(weights_bytes(part) for part in trunk.parts)
    total = cascade.rows(found)[-1]
    assert total[1] == f"{sum(part.macs() for part in trunk.parts):,}"
    assert total[3] == ""  # of TFLM nothing was asked


def weights_bytes(part):
    return sum(operation.weights.size for operation in part.operations if hasattr(operation, "weights"))


def test_a_part_that_was_not_simulated_is_marked():
    parts = [{"part": "a", "macs": 2, "cycles": 3, "tflm_cycles": 4}]
    parts += [{"part": "b", "macs": 20, "cycles": 30, "tflm_cycles": 40, "tflm_extrapolated": True}]
    assert [row[3] for row in cascade.rows({"parts": parts})] == ["4", "40 (extrapolated)", "44 (extrapolated)"]


def test_hash_of_outputs():
    """FNV-1a's published value for "foobar"."""
    assert cascade.fnv(np.frombuffer(b"foobar", np.int8)) == 0xBF9CF968


def test_the_c_library_has_its_headers():
    if shutil.which("riscv64-unknown-elf-gcc") is None:
        pytest.skip("not installed: gcc-riscv64-unknown-elf")
    include, archives = on_cores.picolibc()
    assert (include / "stdio.h").is_file()
    assert len(archives) == 2
