"""Exports that somebody changed: does `verify` pass any of them, break down, or hang?

    python -m benchmarks.mutations --count 2000 --seed 0 [--folder EXPORT]

Changes one file of an export at a time: bits, bytes, digits, lines, whole files, links, files added; the hashes in
report.json are updated or not. A change may pass only where it does not reach the chip: see `harmless`. Without a
folder a small policy is exported first, which needs the extra `export`. Prints JSON; exit status 1 on a bad find.
"""

import argparse
import collections
import hashlib
import json
import os
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgerl import MLPPolicy, UserError, deploy
from edgerl.util import files

VECTORS = 64  # for what `verify` does not refuse earlier
LONGEST = 300  # seconds that one verification may take
# Sections of the report that are measurements: nothing on the chip follows from them.
MEASURED = ("fidelity", "closed_loop", "c", "versions", "remarks", "cascade")
NOT_ON_THE_CHIP = ("observations.npz", "policy.npz")

Change = Callable[[np.random.Generator, bytes], bytes]


def _flip_bit(rng: np.random.Generator, data: bytes) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]


def _delete(rng: np.random.Generator, data: bytes) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + data[at + int(rng.integers(1, 5)) :]


def _insert(rng: np.random.Generator, data: bytes) -> bytes:
    at = int(rng.integers(len(data) + 1))
    return data[:at] + rng.bytes(int(rng.integers(1, 5))) + data[at:]


def _truncate(rng: np.random.Generator, data: bytes) -> bytes:
    return data[: int(rng.integers(len(data)))]


def _digit(rng: np.random.Generator, data: bytes) -> bytes:
    places = [i for i, byte in enumerate(data) if 48 <= byte < 58]
    if not places:
        return _flip_bit(rng, data)
    at = places[int(rng.integers(len(places)))]
    return data[:at] + str((data[at] - 48 + int(rng.integers(1, 10))) % 10).encode() + data[at + 1 :]


def _swap_lines(rng: np.random.Generator, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    a, b = (int(i) for i in rng.integers(len(lines), size=2))
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def _repeat_line(rng: np.random.Generator, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    at = int(rng.integers(len(lines)))
    return b"".join([*lines[: at + 1], *lines[at:]])


def _empty(rng: np.random.Generator, data: bytes) -> bytes:
    return b""


def _noise(rng: np.random.Generator, data: bytes) -> bytes:
    return rng.bytes(int(rng.integers(1, 2 * len(data))))


CHANGES: dict[str, Change] = {
    "bit": _flip_bit,
    "bytes deleted": _delete,
    "bytes inserted": _insert,
    "truncated": _truncate,
    "digit": _digit,
    "lines swapped": _swap_lines,
    "line repeated": _repeat_line,
    "emptied": _empty,
    "noise": _noise,
}
WHOLE = (
    "a number in an array",
    "the same in all copies",
    "removed",
    "replaced by another file",
    "replaced by a folder",
    "replaced by a link",
    "file added",
)
ADDED = ("stdint.h", "evil.c", "esp_idf/main/stdio.h", "policy_extra.h", "notes.txt", "arduino/.hidden")


def mutate(rng: np.random.Generator, folder: Path) -> tuple[str, str, bool]:
    """Changes one file of an export folder; (its name, the kind of change, whether its hash was updated)."""
    report = json.loads((folder / "report.json").read_text())
    names = [*report["files"], "report.json"]
    name = names[int(rng.integers(len(names)))]
    kinds = [*CHANGES, *WHOLE]
    kind, path = kinds[int(rng.integers(len(kinds)))], folder / name
    update = bool(rng.random() < 0.5) and (name != "report.json" or kind == "file added")
    if kind in CHANGES:
        path.write_bytes(CHANGES[kind](rng, path.read_bytes()))
    elif kind == "a number in an array":
        name = _change_array(rng, folder)
    elif kind == "the same in all copies":
        name = _change_copies(rng, folder, report, update)
    elif kind == "file added":
        name = ADDED[int(rng.integers(len(ADDED)))]
        (folder / name).write_text("#error planted\n")
    else:
        data = path.read_bytes()
        path.unlink()
        _put_instead(rng, folder, path, kind, [n for n in names if n != name], data)
    if update:
        target = folder / name
        if target.is_file():
            report["files"][name] = hashlib.sha256(target.read_bytes()).hexdigest()
        else:
            report["files"].pop(name, None)
        (folder / "report.json").write_text(json.dumps(report))
    return name, kind, update


def _change_array(rng: np.random.Generator, folder: Path) -> str:
    """Another number in one of the archives, which stays a sound one."""
    paths = sorted(folder.glob("*.npz"))
    path = paths[int(rng.integers(len(paths)))]
    arrays = {name: np.array(value) for name, value in files.read_npz(path).items()}
    numbers = [name for name, value in arrays.items() if value.dtype.kind in "iuf" and value.size]
    changed = arrays[numbers[int(rng.integers(len(numbers)))]].reshape(-1)
    at = int(rng.integers(changed.size))
    changed[at] = changed[at] * 1.01 + 1 if changed.dtype.kind == "f" else changed[at] ^ 1
    files.write_npz(path, arrays)
    return path.name


def _change_copies(rng: np.random.Generator, folder: Path, report: dict[str, Any], update: bool) -> str:
    """The same digit in a source file and in its copies in the packages."""
    name = ("policy.c", "policy.h")[int(rng.integers(2))]
    data = (folder / name).read_bytes()
    changed = _digit(rng, data)
    for other in report["files"]:
        if other != name and (folder / other).read_bytes() == data:
            (folder / other).write_bytes(changed)
            if update:
                report["files"][other] = hashlib.sha256(changed).hexdigest()
    (folder / name).write_bytes(changed)
    return name


def _put_instead(rng: np.random.Generator, folder: Path, path: Path, kind: str, others: list[str], data: bytes) -> None:
    if kind == "replaced by another file":
        path.write_bytes((folder / others[int(rng.integers(len(others)))]).read_bytes())
    elif kind == "replaced by a folder":
        path.mkdir()
    elif kind == "replaced by a link":
        outside = folder.with_name(folder.name + ".outside")
        outside.write_bytes(data)
        path.symlink_to(outside)


def harmless(folder: Path, original: Path) -> str | None:
    """Why a changed export may pass: what differs from the original is none of the chip's; None if it may not."""
    names = {path.relative_to(root).as_posix() for root in (folder, original) for path in root.rglob("*")}
    reasons = set()
    for name in names:
        new, old = folder / name, original / name
        if new.is_dir() and old.is_dir():
            continue
        if not new.is_file() or not old.is_file():
            return None
        if new.read_bytes() == old.read_bytes():
            continue
        if name == "report.json":
            try:
                changed = _changed_sections(json.loads(new.read_text()), json.loads(old.read_text()))
            except ValueError:
                return None  # no JSON any more: a verify that passes it read nothing
            if not changed <= {*MEASURED, "files"}:
                return None
            reasons |= {f"report.json: {section}" for section in changed} or {"report.json: its spaces"}
        elif name in NOT_ON_THE_CHIP:
            reasons.add(name)
        else:
            return None
    return ", ".join(sorted(reasons)) or "nothing differs"


def _changed_sections(new: dict[str, Any], old: dict[str, Any]) -> set[str]:
    return {name for name in {*new, *old} if new.get(name, "missing") != old.get(name, "missing")}


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def judge(folder: Path, original: Path, num_vectors: int = VECTORS) -> tuple[str, str]:
    """(outcome, detail): "refused", "failed" and "harmless" are right; "passed", "hang" and "traceback" are not."""
    try:
        with _limited(LONGEST):
            passed = deploy.verify(folder, num_vectors, targets=("host C", "rv32imc"))["passed"]
    except UserError as error:
        return ("refused", str(error)) if len(str(error).splitlines()) == 1 else ("traceback", str(error))
    except TimeoutError as error:
        return "hang", str(error)
    except Exception:
        return "traceback", traceback.format_exc()
    reason = harmless(folder, original) if passed else None
    return ("failed", "") if not passed else ("passed", "") if reason is None else ("harmless", reason)


def run(original: Path, count: int, seed: int, num_vectors: int = VECTORS) -> dict[str, Any]:
    """Outcomes of `count` changes, how often a change that is none of the chip's passed, and all that should not be."""
    rng = np.random.default_rng(seed)
    outcomes: collections.Counter[str] = collections.Counter()
    reasons: collections.Counter[str] = collections.Counter()
    bad = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "export"
        for number in range(count):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(original, folder)
            what = mutate(rng, folder)
            outcome, detail = judge(folder, original, num_vectors)
            outcomes[outcome] += 1
            if outcome == "harmless":
                reasons[detail] += 1
            elif outcome not in ("refused", "failed"):
                bad.append({"number": number, "what": what, "outcome": outcome, "detail": detail})
    return {"count": count, "seed": seed, "outcomes": dict(outcomes), "harmless": dict(reasons), "bad": bad}


def export_small(out: Path) -> None:
    """A 4-16-2 policy, which takes seconds."""
    rng = np.random.default_rng(0)
    kernels = (rng.normal(size=(4, 16)) / 2, rng.normal(size=(16, 2)) / 4)
    deploy.export(MLPPolicy(kernels, (rng.normal(size=16) / 10, np.zeros(2))), rng.normal(size=(200, 4)), out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder
        if folder is None:
            folder = Path(temporary) / "small"
            export_small(folder)
        found = run(folder, options.count, options.seed)
    print(json.dumps(found, indent=2))
    raise SystemExit(1 if found["bad"] else os.EX_OK)


if __name__ == "__main__":
    main()
