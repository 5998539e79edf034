"""The proof of an export: the same int8 outputs and actions in JAX, in TFLM, and in C on this host and other machines.

What is compiled and run is never the folder's own: all its files are made anew from `policy_int8.npz` and what the
report says, in a folder of their own, and compared byte for byte first. Only what is equal goes on to be compiled.
"""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl import __version__
from edgerl.deploy import (
    calibration,
    contents,
    converter,
    fidelity,
    int8_policy,
    machines,
    perceptron,
    self_tests,
    tflite_file,
    tflm,
    vectors,
)
from edgerl.deploy.calibration import check_observations
from edgerl.deploy.checks import Check, check, compared, guarded
from edgerl.deploy.contents import Ingredients
from edgerl.deploy.extras import Extra
from edgerl.deploy.folder import PAGE, Folder, open_folder, shown
from edgerl.deploy.machines.cortex import Cortex
from edgerl.deploy.machines.machine import Machine, TooSmall
from edgerl.deploy.machines.streams import Streams
from edgerl.deploy.machines.wasm import Program
from edgerl.deploy.targets import demo
from edgerl.deploy.targets.tflm import ARENA_MARGIN
from edgerl.envs import policy_file as float_policy
from edgerl.envs.gru import GRUPolicy
from edgerl.util import files, progress
from edgerl.util.errors import UserError

UNCHECKED = (
    "by its hash only: observations that are no test vector; what of each number in policy.npz int8 does not hold. "
    "Not at all: the measurements in report.json (fidelity, closed_loop, c, versions, remarks, and a task's own). "
    "None of these reaches the chip."
)
_PROGRAM = "page"  # name of the check that runs the program in it
_WITH_SELF_TESTS = (Streams, Cortex)  # machines that also run the tests of a task's own files


def verify(
    out: str | Path, num_vectors: int = 100_000, converter: bool = False, targets: Sequence[str] | None = None
) -> dict[str, Any]:
    """Checks an export folder. Observations on- and off-policy, NaN, ±inf and huge values are among the vectors.

    Files are compared with their hashes in `report.json`, then with what `export` writes from `policy_int8.npz` and the
    report. Nothing is compiled or run where any file differs.

    Args:
      out: folder that `export` wrote.
      num_vectors: how many observations each implementation decides on, ≥ 1. Of a policy with memory one half begins
        with any memory, the other half are sequences in which it is carried along.
      converter: whether to compare the int8 network with TensorFlow's conversion of policy.npz, too; takes seconds.
      targets: machines that run the C, "host C" and the others that `edgerl verify --help` names; None: all of them.
    Returns:
      passed: True if no check failed and an implementation was compared. vectors. unchecked. checks: a list of {name,
      passed, detail} and, of vectors, `differences`; `passed` is None where a check was not made.
    Raises:
      UserError: not an export, a file is missing, unreadable or not listed, or the `.tflite` is no perceptron.

    Example:
      >>> edgerl.verify("runs/pole_c", num_vectors=1000, targets=["host C"])["passed"]
      True
    """
    if isinstance(num_vectors, bool) or not isinstance(num_vectors, int | np.integer) or num_vectors < 1:
        raise UserError(f"num_vectors is {num_vectors}, expected a whole number, at least 1")
    chosen = machines.chosen(targets)
    folder = open_folder(out)
    made_of = ingredients(folder)
    machines_of_it = (*chosen, Program(_PROGRAM, made_of.program or b"", f"the export has no {PAGE}"))
    with tempfile.TemporaryDirectory() as temporary:
        clean = Path(temporary)
        contents.write(clean, made_of)
        checks, foreign = _files_checks(folder, clean, made_of)
        checks += [guarded("TensorFlow", partial(_converter_check, made_of))] if converter else []
        if all(one["passed"] is not False for one in checks):
            checks += _implementations(clean, made_of, num_vectors, machines_of_it)
        else:
            checks += _not_run(clean, {*folder.changed} or {*foreign}, folder.name, machines_of_it)
    passed = all(one["passed"] is not False for one in checks)
    return {"passed": passed, "vectors": num_vectors, "checks": checks, "unchecked": UNCHECKED}


def ingredients(folder: Folder) -> Ingredients:
    """What the files of a folder should have been made of, by the folder itself."""
    deployed = int8_policy.read(folder.path)
    stored = folder.path / "observations.npz"
    arrays = files.read_npz(stored)
    if "observations" not in arrays:
        raise UserError(f"{stored} has no array 'observations'")
    seen = arrays.get("calibration")
    reads = deployed.sizes[0] + deployed.units
    if seen is None or seen.dtype != np.int8 or seen.ndim != 2 or seen.shape[1] != reads or not len(seen):
        raise UserError(f"{stored} has no array 'calibration' of int8 [N, {reads}]")
    return Ingredients(
        policy=float_policy.load_policy(folder.path / f"{folder.name}.npz"),
        deployed=deployed,
        calibration=seen,
        observations=check_observations(arrays["observations"], reads),
        arena=folder.arena,
        environment=folder.environment,
        extra={name: Extra(said, folder.path) for name, said in folder.extra.items()},
        name=folder.name,
        program=demo.program_of(folder.path / PAGE),
    )


def _files_checks(folder: Folder, clean: Path, made_of: Ingredients) -> tuple[list[Check], list[str]]:
    """Hashes; every byte against what `export` writes; the model and the report against the int8 policy.

    Returns:
      The checks, and the files that are not what `export` writes.
    """
    changed = ", ".join(folder.changed)
    detail = f"changed since the export: {changed}" if changed else "every file has the hash in report.json"
    checks = [check("files", not changed, detail)]
    made = contents.paths(clean)
    names = sorted({*made, *folder.listed})
    foreign = [name for name in names if not _equal(made.get(name), folder.path / name)]
    checks.append(check("generated files", not foreign, _foreign_detail(folder, foreign, len(names))))
    checks.append(_model_check(folder, made_of))
    array = f"{folder.name}_model_data.cc"
    checks.append(check("C array", array not in foreign, f"{array} holds {folder.name}_int8.tflite"))
    checks.append(_report_check(folder, made_of))
    checks.append(_float_check(made_of))
    return checks, foreign


def _model_check(folder: Folder, made_of: Ingredients) -> Check:
    model = folder.path / f"{folder.name}_int8.tflite"
    graph = tflite_file.read(model.read_bytes(), str(model))
    same = tflite_file.write(graph) == tflite_file.write(made_of.deployed.graph)
    return check("model", same, f"{model.name} and {model.stem}.npz hold the same integers")


def _float_check(made_of: Ingredients) -> Check:
    wrong = fidelity.foreign(made_of.policy, made_of.deployed, made_of.calibration)
    detail = "policy.npz is quantised to the int8 policy"
    return check("float policy", wrong is None, f"policy.npz is not what was exported: {wrong}" if wrong else detail)


def _converter_check(made_of: Ingredients) -> Check:
    """The int8 network against what TensorFlow's converter makes of the float policy and the same inputs."""
    deployed, policy = made_of.deployed, made_of.policy
    if isinstance(policy, GRUPolicy):
        return check("TensorFlow", None, "its converter is asked for policies without memory alone")
    per_channel = any(len(layer.dense.scales) > 1 for layer in perceptron.layers(deployed.graph))
    try:
        folded = calibration.fold(policy, deployed.quantiser)
        model = converter.convert(folded, made_of.calibration.astype(np.float32) / 128, per_channel)
    except UserError as error:
        return check("TensorFlow", None, str(error))
    theirs, discrete = tflite_file.read(model, "the converter's model"), deployed.space is None
    wrong = fidelity.difference(theirs, deployed.graph, output=discrete)
    detail = "its converter has the same weights and zero points; scales within 1e-5, biases within 1"
    detail += "" if discrete else "; not compared: the outputs' scale, which is 1/128, whatever range calibration saw"
    return check("TensorFlow", wrong is None, f"its converter disagrees: {wrong}" if wrong else detail)


def _foreign_detail(folder: Folder, foreign: list[str], count: int) -> str:
    if not foreign:
        return f"all {count} files are byte for byte what export writes from policy_int8.npz"
    by = folder.report.get("edgerl")
    hint = (
        "" if by == __version__ else f"; this is EdgeRL {__version__}, the export is of {ascii(by)[:40]}: export again"
    )
    return f"not what export writes from policy_int8.npz: {', '.join(map(shown, foreign))}{hint}"


def _equal(made: Path | None, found: Path) -> bool:
    return made is not None and found.is_file() and made.read_bytes() == found.read_bytes()


def _report_check(folder: Folder, made_of: Ingredients) -> Check:
    """What the report says of the policy, against the policy; and that no section has gone."""
    if gone := [name for name in contents.SECTIONS if name not in folder.report]:
        return check("report", False, f"its section is missing: {', '.join(gone)}")
    size = (folder.path / f"{folder.name}_int8.tflite").stat().st_size
    expected = {
        "policy": contents.described_policy(made_of.policy),
        "quantisation": contents.described_quantisation(made_of.deployed),
        "size": {"tflite": size, "tflm_arena": made_of.arena},
        "edgerl": __version__,
    }
    wrong = [name for name, value in expected.items() if folder.report.get(name) != value]
    detail = f"not as the files have it: {', '.join(wrong)}" if wrong else "says of the policy what the files say"
    return check("report", not wrong, detail)


def _implementations(
    clean: Path, made_of: Ingredients, num_vectors: int, machines_of_it: Sequence[Machine]
) -> list[Check]:
    """TFLM and C against JAX, and the C's own tests."""
    policy, quantiser = made_of.deployed.policy, made_of.deployed.quantiser
    obs = vectors.for_policy(policy, quantiser, made_of.observations, num_vectors)
    inputs, scores = int8_policy.evaluate(policy, obs)
    expected = vectors.records(policy, inputs, scores)
    checks = [_vectors_check(scores), guarded("TFLM", partial(_tflm_check, clean, made_of, inputs))]
    tests = self_tests.find(clean, contents.paths(clean), made_of.name)
    for machine in progress.each(machines_of_it, "verify"):
        checks.append(guarded(machine.name, partial(_c_check, machine, clean, made_of.name, obs, expected)))
        if tests and isinstance(machine, _WITH_SELF_TESTS):
            name = f"self-tests, {machine.name}"
            checks.append(guarded(name, partial(_self_tests_check, name, machine, clean, tests)))
    if not any("differences" in one for one in checks):
        detail = "nothing was compared with JAX: neither TFLM nor a compiler can be used here"
        if all(one["passed"] is not False for one in checks):
            checks.append(check("comparison", False, detail))
    return checks


def _not_run(clean: Path, foreign: set[str], prefix: str, machines_of_it: Sequence[Machine]) -> list[Check]:
    """For each implementation a failed check where what it needs was changed, else one that was not made."""
    needs: dict[str, tuple[str, ...]] = {"TFLM": (f"{prefix}_int8.tflite",)}
    needs |= {machine.name: (f"{prefix}.h", f"{prefix}.c") for machine in machines_of_it} | {_PROGRAM: (PAGE,)}
    made = contents.paths(clean)
    if self_tests.find(clean, made, prefix):
        code = tuple(name for name in made if self_tests.is_code(name))
        needs |= {
            f"self-tests, {machine.name}": code for machine in machines_of_it if isinstance(machine, _WITH_SELF_TESTS)
        }
    checks = []
    for name, files_of_it in needs.items():
        own = [file for file in files_of_it if file in foreign]
        what = f"{' and '.join(own)} changed" if own else "other files changed"
        checks.append(check(name, False if own else None, f"not run: {what} since the export"))
    return checks


def _vectors_check(scores: np.ndarray) -> Check:
    """Whether the comparison can tell anything: a network that never fires answers everything alike."""
    if len(scores) > 1 and (scores == scores[0]).all():
        detail = "the network has the same outputs for all vectors: it never fires, so they compare little"
        return check("vectors", None, detail)
    return check("vectors", True, f"the network's outputs differ among the {len(scores)} vectors")


def _tflm_check(clean: Path, made_of: Ingredients, inputs: np.ndarray) -> Check:
    try:
        outputs, arena = tflm.run((clean / f"{made_of.name}_int8.tflite").read_bytes(), inputs)
    except UserError as error:  # it is not installed
        return check("TFLM", None, str(error))
    if arena > made_of.arena * ARENA_MARGIN:
        return check("TFLM", False, f"needs an arena of {arena} bytes, but {made_of.name}_tflm.h reserves less")
    how = "interpreter of tflite-micro"
    if made_of.deployed.argmax == "accumulators":
        how += "; of the int8 outputs, since it keeps its accumulators to itself"
    wrong = outputs != np.asarray(jax.jit(made_of.deployed.policy.outputs)(inputs))
    return compared("TFLM", wrong.any(axis=1), how)


def _c_check(machine: Machine, clean: Path, name: str, obs: np.ndarray, expected: vectors.Expected) -> Check:
    if missing := machine.missing():
        return check(machine.name, None, missing)
    few = slice(machine.limit)
    try:
        records = machine.records(clean, name, obs[few], expected.form)
    except TooSmall as error:
        return check(machine.name, None, str(error))
    return compared(machine.name, vectors.different(records, expected.records[few]), machine.how)


def _self_tests_check(name: str, machine: Streams | Cortex, clean: Path, tests: dict[str, str]) -> Check:
    if missing := machine.missing():
        return check(name, None, missing)
    try:
        self_tests.run(machine, clean, contents.paths(clean), tests)
    except TooSmall as error:
        return check(name, None, str(error))
    return check(name, True, f"{' and '.join(tests)} passed")
