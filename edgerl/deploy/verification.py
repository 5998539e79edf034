"""The proof of an export: the same int8 outputs and actions in JAX, in TFLM, in C on this host and in C on rv32imc."""

import hashlib
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl.core import files
from edgerl.core.errors import UserError
from edgerl.deploy import c_array, flatbuffer, int8_policy, self_tests, tflm, toolchain, vectors
from edgerl.deploy.calibration import Quantiser, check_observations
from edgerl.deploy.int8_policy import Int8Policy
from edgerl.deploy.toolchain import Target

NEEDED = ("policy.h", "policy.c", "policy_int8.tflite", "policy_int8.npz", "observations.npz", "policy_model_data.cc")
Check = dict[str, Any]


def verify(out: str | Path, num_vectors: int = 100_000) -> dict[str, Any]:
    """Checks an export folder. Observations on- and off-policy, NaN, ±inf and huge values are among the vectors.

    A file is compared with its hash in `report.json` before anything is made of it: native code never reads, and no
    compiler compiles, a file that `export` did not write.

    Args:
      out: folder that `export` wrote.
      num_vectors: how many observations each implementation decides on, ≥ 1.
    Returns:
      passed: True if every check that could run did not fail. vectors. checks: a list of {name, passed, detail}, with
      `differences` where vectors were compared; `passed` is None, and `detail` says what to install, where a tool is
      missing.
    Raises:
      UserError: not an export, a file is missing or unreadable, or the `.tflite` is not a multilayer perceptron.
    """
    if num_vectors < 1:
        raise UserError(f"num_vectors is {num_vectors}, expected at least 1")
    folder = Path(out)
    listed, changed = _listed(folder)
    deployed = int8_policy.load(folder)
    model = (folder / "policy_int8.tflite").read_bytes()
    network = flatbuffer.read_network(model, str(folder / "policy_int8.tflite"))
    quantiser = Quantiser(np.asarray(deployed.gain), np.asarray(deployed.offset))
    observations = _observations(folder, deployed)
    obs = vectors.make(quantiser, observations, num_vectors)
    inputs, scores = int8_policy.evaluate(deployed, obs)

    checks = [_files_check(changed)]
    read = int8_policy.from_network(network, quantiser.gain, quantiser.offset, deployed.argmax)
    same = int8_policy.same(deployed, read)
    checks.append(_check("model", same, "policy_int8.tflite and policy_int8.npz hold the same integers"))
    written = (folder / "policy_model_data.cc").read_text(errors="replace")
    array = c_array.generate(model)["policy_model_data.cc"] == written
    checks.append(_check("C array", array, "policy_model_data.cc holds policy_int8.tflite"))
    checks.append(_guarded("TFLM", changed, ["policy_int8.tflite"], partial(_tflm_check, model, deployed, inputs)))
    for target in (toolchain.HOST, toolchain.RV32):
        check = partial(_c_check, target, folder, obs, inputs, scores)
        checks.append(_guarded(target.name, changed, ["policy.h", "policy.c"], check))
        if not changed and (tests := self_tests.find(folder, listed)):
            own = partial(_self_tests_check, target, folder, listed, tests)
            checks.append(_guarded(f"self-tests, {target.name}", changed, [], own))
    return {"passed": all(c["passed"] is not False for c in checks), "vectors": num_vectors, "checks": checks}


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """Files that `report.json` names, and those of them that are not as it says."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; make an export with `edgerl export RUN --out {folder}`")
    report = files.read_json(folder / "report.json")
    hashes = report.get("files") if isinstance(report, dict) else None
    if not isinstance(hashes, dict) or not set(NEEDED) <= set(hashes):
        raise UserError(f"{folder / 'report.json'} is not the report of an export: it lists no files with their hashes")
    changed = []
    for name, expected in hashes.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{folder / 'report.json'} names a file outside of the folder: {name}")
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError as error:
            raise UserError(f"{path} does not exist, but report.json lists it") from error
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
        if found != expected:
            changed.append(name)
    return list(hashes), changed


def _observations(folder: Path, deployed: Int8Policy) -> np.ndarray:
    arrays = files.read_npz(folder / "observations.npz")
    if "observations" not in arrays:
        raise UserError(f"{folder / 'observations.npz'} has no array 'observations'")
    return check_observations(arrays["observations"], deployed.sizes[0])


def _check(name: str, passed: bool | None, detail: str, **more: Any) -> Check:
    return {"name": name, "passed": passed, "detail": detail, **more}


def _files_check(changed: list[str]) -> Check:
    detail = f"changed since the export: {', '.join(changed)}" if changed else "every file has the hash in report.json"
    return _check("files", not changed, detail)


def _guarded(name: str, changed: list[str], needs: list[str], check: Callable[[], Check]) -> Check:
    """The check, unless a file that it would run is not the exported one."""
    foreign = [file for file in needs if file in changed]
    if foreign:
        return _check(name, False, f"not run: {' and '.join(foreign)} changed since the export")
    try:
        return check()
    except (tflm.TFLMError, toolchain.ToolError) as error:
        return _check(name, False, str(error))


def _tflm_check(model: bytes, deployed: Int8Policy, inputs: np.ndarray) -> Check:
    outputs, _ = tflm.run(model, inputs)
    how = "interpreter of tflite-micro"
    if deployed.argmax == "accumulators":
        how += "; of the int8 outputs, since it keeps its accumulators to itself"
    return _compared("TFLM", outputs != np.asarray(jax.jit(deployed.outputs)(inputs)), how)


def _c_check(target: Target, folder: Path, obs: np.ndarray, inputs: np.ndarray, scores: np.ndarray) -> Check:
    if missing := target.missing():
        return _check(target.name, None, missing)
    with tempfile.TemporaryDirectory() as temporary:
        program = toolchain.compile_program(target, folder, Path(temporary))
        records = toolchain.run_program(target, program, obs, scores.shape[1], scores.dtype)
    actions = scores.argmax(axis=1)
    wrong = [records["input"] != inputs, records["scores"] != scores]
    wrong += [(records[name] != actions)[:, None] for name in ("action", "act")]
    how = "qemu-riscv32, -march=rv32imc" if target.emulator else "-std=c99 -Wall -Wextra -Werror, sanitizers on"
    return _compared(target.name, np.concatenate(wrong, axis=1), how)


def _self_tests_check(target: Target, folder: Path, listed: list[str], tests: dict[str, str]) -> Check:
    name = f"self-tests, {target.name}"
    if missing := target.missing():
        return _check(name, None, missing)
    self_tests.run(target, folder, listed, tests)
    return _check(name, True, f"{' and '.join(tests)} passed")


def _compared(name: str, wrong: np.ndarray, how: str) -> Check:
    differences = int(wrong.any(axis=1).sum())
    return _check(
        name,
        differences == 0,
        f"{differences} of {len(wrong)} vectors differ from JAX ({how})",
        differences=differences,
    )
