"""Makes the zoo: ready exports in the folder `zoo`, of what ships with EdgeRL.

    scripts/zoo

Trains and exports what is not there. Of what is there, every file is made anew from its integers, and measured again:
after a change of what `export` writes, this command brings the zoo up to date, with the same policies. To train one
anew, delete its folder. A new entry is a line of `ENTRIES`.
"""

import dataclasses
import hashlib
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import edgerl
from edgerl.deploy import contents, exporting, int8_policy, verification
from edgerl.deploy.folder import NO_PAGE, REPORT, open_folder
from edgerl.util import files

ZOO = Path(__file__).parents[1] / "zoo"

# Name of the export → what is trained, and with which settings.
ENTRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "cartpole": ("cartpole", {}),
    "cartpole_positions": ("PositionOnlyCartPole-v1", {}),  # a policy with memory
    "pendulum": ("Pendulum-v1", {}),
    "exits_low_power": ("early-exit", {"profile": "low_power", "front": 0}),
    "exits_medium_power": ("early-exit", {"profile": "medium_power", "front": 0}),
    "exits_high_power": ("early-exit", {"profile": "high_power", "front": 0}),
}


def make(name: str) -> None:
    """Trains one, and exports it; the names of its files and symbols begin with `name`."""
    what, settings = ENTRIES[name]
    with tempfile.TemporaryDirectory() as temporary:
        edgerl.train(what, Path(temporary) / "run", **settings).export(ZOO / name, name=name)


def remake(path: Path) -> None:
    """Makes every file of an export anew from its integers, and measures the C again.

    Raises:
      UserError: it is no export, or a file that the new ones follow from is damaged.
    """
    old = open_folder(path)
    made_of = dataclasses.replace(verification.ingredients(old), program=None)  # the page's program is compiled anew
    inputs, _ = int8_policy.evaluate(made_of.deployed.policy, made_of.observations)
    with tempfile.TemporaryDirectory() as temporary:
        new = Path(temporary) / path.name
        new.mkdir()
        lacking = contents.write(new, made_of)
        remarks = [line for line in old.report["remarks"] if not line.startswith(NO_PAGE)]
        report = {
            **old.report,
            "edgerl": edgerl.__version__,
            "quantisation": contents.described_quantisation(made_of.deployed),
            "c": exporting.measure(new, inputs, made_of.observations, made_of.name),
            "remarks": [*remarks, *lacking],
            "files": {name: _digest(file) for name, file in contents.paths(new).items()},
        }
        files.write_json(new / REPORT, report)
        shutil.rmtree(path)
        shutil.copytree(new, path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Makes or remakes all of them."""
    for name in ENTRIES:
        started, there = time.perf_counter(), (ZOO / name).is_dir()
        if there:
            remake(ZOO / name)
        else:
            make(name)
        seconds = time.perf_counter() - started
        print(f"{name}: {'made anew' if there else 'trained'} in {seconds:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
