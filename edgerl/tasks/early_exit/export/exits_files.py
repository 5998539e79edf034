"""`NAME_exits.h` and `.c` as an export's extra files: what the report keeps of them, how they are made of that."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerl.deploy.extras import Extra, Firmware
from edgerl.deploy.targets.example import Example
from edgerl.tasks.early_exit.env import EXTRAS
from edgerl.tasks.early_exit.evaluation.evaluate import actions_of
from edgerl.tasks.early_exit.export.exits_c import MAX_CLASSES, Exits, generate
from edgerl.tasks.early_exit.promise import certificate, evidence
from edgerl.tasks.early_exit.promise.certificate import Certificate
from edgerl.tasks.early_exit.promise.kept import Promise
from edgerl.util import files
from edgerl.util.errors import UserError

NAME = "exits"
EVIDENCE = "certificate.npz"  # what a certificate was computed from
_FIRST = ("confidence", "exit", "latency", "remaining compute")
_MOST_EXITS = 1000


def said_of(exits: Exits) -> dict[str, Any]:
    """The exits as values that JSON holds, without those that nothing follows from."""
    meant = np.array([name in (*_FIRST[1:], "preference") for name in exits.names])
    return {
        "names": list(exits.names),
        "known": np.where(meant, exits.known, 0).astype(np.float32).tolist(),
        "temperatures": np.asarray(exits.temperatures, np.float32).tolist(),
        "classes": int(exits.classes),
        "preference": float(np.float32(exits.preference)) if exits.takes_preference else None,
        "certificate": None if exits.certificate is None else dataclasses.asdict(exits.certificate),
    }


@contextlib.contextmanager
def extra_of(exits: Exits, promise: Promise | None) -> Iterator[Extra]:
    """What an export is told of the exits, which decide by the promise's rule if there is one."""
    if promise is None:
        yield Extra(said_of(exits))
        return
    with tempfile.TemporaryDirectory() as temporary:
        evidence.save(Path(temporary) / EVIDENCE, promise.evidence)
        yield Extra(said_of(dataclasses.replace(exits, certificate=promise.certificate)), Path(temporary))


EXAMPLE = Example(
    header="${p}_exits.h",
    word="logits",
    count="1 + ${P}_CLASSES",
    digits=16,
    tests="${p}_self_test() + ${p}_exits_self_test()",
    total="${P}_TEST_VECTORS",
    state="static struct ${p}_exits exits;",
    start="${p}_exits_init(&exits);",
    decide="""answers[0] = ${p}_should_exit(&exits, values + 1, (int)values[0]);
    answers[1] = ${p}_prediction(&exits);""",
    says="exit: %d class: %d",
    about="the number of an exit, then its raw logits in; out whether to stop there (1) or to go on (0), and the class",
)


def write(source: Path, out: Path, said: Mapping[str, Any], firmware: Firmware) -> Example:
    """The extra's generator; see `edgerl.deploy.extras`.

    Raises:
      UserError: `said` is not of `said_of`, or its certificate does not follow from `certificate.npz`.
    """
    exits, deployed = _read(said, source), firmware.policy
    if deployed.sizes[0] != len(exits.names) or deployed.sizes[-1] != 2:
        raise UserError(
            f"the policy of {deployed.sizes} neurons is not that of these exits' {len(exits.names)} features"
        )
    for name, text in generate(exits, lambda obs: actions_of(deployed, obs), firmware.words).items():
        files.write_bytes(out / name, text.encode())
    if exits.certificate is not None:
        evidence.save(out / EVIDENCE, evidence.load(source / EVIDENCE))
    return EXAMPLE


def _read(said: Mapping[str, Any], source: Path) -> Exits:
    try:
        names = tuple(said["names"])
        with np.errstate(over="ignore"):
            known, temperatures = np.array(said["known"], np.float32), np.array(said["temperatures"], np.float32)
        classes, preference = said["classes"], float(said["preference"] if "preference" in names else 0.5)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"report.json: extra.exits is incomplete ({type(error).__name__}: {error})") from error
    known_names = names[:4] == _FIRST and set(names[4:]) <= {*EXTRAS, "preference"} and len(set(names)) == len(names)
    fit = temperatures.ndim == 1 and 2 <= len(temperatures) <= _MOST_EXITS
    fit = (
        fit and known.shape == (len(temperatures), len(names)) and type(classes) is int and 2 <= classes <= MAX_CLASSES
    )
    sane = np.isfinite(preference) and np.isfinite(known).all() and np.isfinite(temperatures).all()
    if not known_names or not fit or not sane or not (temperatures > 2.0**-100).all():
        raise UserError("report.json: extra.exits does not describe exits: names, numbers or their shapes do not fit")
    promised = said.get("certificate")
    certified = None if promised is None else _certificate(promised, source / EVIDENCE, len(temperatures))
    exits = Exits(names, known, temperatures, classes, preference, certified)
    if said_of(exits) != dict(said):
        raise UserError("report.json: extra.exits is not as export wrote it: a number is no float32, or not used")
    return exits


def _certificate(said: Any, path: Path, exits: int) -> Certificate:
    """The report's certificate, computed again from the evidence in the folder."""
    proof = evidence.load(path)
    if proof.right.shape[1] != exits:
        raise UserError(f"{path} is not the evidence of this export: it has {proof.right.shape[1]} exits, not {exits}")
    try:
        return certificate.read(said, proof)
    except UserError as error:
        raise UserError(f"report.json and {path}: {error}") from error
