"""What a deployed policy costs, against the same network in TFLM's interpreter, as plain float C and by emlearn.

Bytes, instructions on rv32imc, and cycles on RISC-V cores that are simulated clock by clock, observation in and action
out. Nothing is timed: every number is counted, and the same on each run. The policies have fixed, untrained weights.
Needs the extras `export` and `cycles`; what is not installed is named in the table.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deploy_peers
import float_c
import numpy as np
import on_cores
import peers
import report
from contestants.network import weights
from report import Numbers

from edgerl.deploy.cores import CORES
from edgerl.deploy.toolchain import ToolError
from edgerl.util.errors import UserError

CASES = (((64, 64), "tanh"), ((64, 64), "relu"), ((16, 16), "relu"))
OBSERVATIONS = 2000
UNITS = ("object_bytes", "instructions")
PEERS = ("TFLM", "float C", "emlearn")
TIMES = {"TFLM": 5, "float C": 40}  # fewer cycles that the int8 C should need, on every core
SHOWN = "4-64-64-2 relu"


def case_name(hidden: tuple[int, ...], activation: str) -> str:
    """As in "4-64-64-2 tanh"."""
    return f"{'-'.join(map(str, (4, *hidden, 2)))} {activation}"


# Float C has no tanh without a library.
FLOAT_CASES = tuple(case_name(*case) for case in CASES if case[1] == "relu")


def run(offline: bool, figure: bool) -> Numbers:
    """Exports each policy into a temporary folder, reads its report, and counts its peers' cycles."""
    del figure  # there is nothing more to measure
    result: Numbers = {"benchmark": "deploy", "date": report.date(), "machine": report.machine()}
    result["machine"]["load_before"] = report.loads()
    contestants: dict[str, Numbers] = {}
    for hidden, activation in CASES:
        contestants |= measure(hidden, activation, not offline)
    result["machine"]["load_after"] = report.loads()
    names = [case_name(*case) for case in CASES]
    ratios = {
        f"{case}: float C / int8 C, {unit}": ratio(contestants, case, "float C", unit)
        for case in FLOAT_CASES
        for unit in UNITS
    }
    ratios |= {
        f"{case}: {peer} / int8 C, cycles on {core.name}": ratio(contestants, case, peer, core.name)
        for case in names
        for peer in PEERS
        if f"{case}: {peer}" in contestants
        for core in CORES
    }
    return {**result, "contestants": contestants, "ratios": ratios, "goals": goals(contestants)}


def measure(hidden: tuple[int, ...], activation: str, install: bool) -> dict[str, Numbers]:
    """One case as int8, in TFLM, by emlearn and, with ReLU, as float C."""
    import jax
    import jax.numpy as jnp

    import edgerl
    from edgerl import deploy
    from edgerl.deploy import exporting, int8_policy
    from edgerl.envs.policy import MLPPolicy
    from edgerl.tasks.generic.calibration import visited

    case = case_name(hidden, activation)
    settings = {"sizes": [4, *hidden, 2], "activation": activation}
    kernels, biases = weights((4, *hidden, 2))
    policy = MLPPolicy(tuple(map(jnp.asarray, kernels)), tuple(map(jnp.asarray, biases)), activation)
    observations = visited(edgerl.make("CartPole-v1"), policy, jax.random.key(0), OBSERVATIONS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "int8"
        report.log(f"{case}: exporting")
        try:
            made = deploy.export(policy, observations, folder)
        except UserError as error:
            return {f"{case}: int8": {"settings": settings, "absent": str(error)}}
        sizes = {"flatbuffer_bytes": made["size"]["tflite"], "arena_bytes": made["size"]["tflm_arena"]}
        int8 = np.asarray(int8_policy.evaluate(deploy.load(folder), observations)[1]).argmax(axis=1)
        exact = np.asarray(policy.logits(observations)).argmax(axis=1)
        makers = {
            "int8": (lambda out: deploy_peers.ours(folder, out), int8),
            "TFLM": (lambda out: deploy_peers.tflm(folder, out), int8),
            "emlearn": (lambda out: deploy_peers.emlearn(kernels, biases, activation, out, install), exact),
        }
        if case in FLOAT_CASES:
            makers["float C"] = (lambda out: deploy_peers.plain(kernels, biases, out), exact)
        found = {}
        for name, (make, actions) in makers.items():
            report.log(f"{case}: {name}")
            out = Path(temporary) / f"peer {name}"
            out.mkdir()
            found[f"{case}: {name}"] = {"settings": settings, **on_board(make, out, observations, actions)}
        _add(found[f"{case}: int8"], {**sizes, **costs(made["c"])})
        if case in FLOAT_CASES:
            out = Path(temporary) / "float"
            out.mkdir()
            float_c.write(out, kernels, biases)
            few = observations[: on_cores.ROWS]  # a decision in floats is a second of simulation
            _add(
                found[f"{case}: float C"],
                costs(exporting.measure(out, few.astype("int8"), few)),
            )
    return found


def on_board(
    make: Callable[[Path], list[on_cores.Program]], out: Path, observations: np.ndarray, actions: np.ndarray
) -> Numbers:
    """`measured` cycles and bytes of a contestant, or why there are none."""
    try:
        counted = on_cores.measure(make(out), observations, actions)
    except (peers.PeerAbsentError, UserError) as error:
        return {"absent": str(error)}
    except ToolError as error:
        return {"failed": str(error)}
    return counted if "failed" in counted else {"measured": counted}


def _add(contestant: Numbers, counted: Numbers) -> None:
    """What is known without a simulated core counts all the same."""
    contestant["measured"] = counted | contestant.get("measured", {})
    reason = contestant.pop("absent", None) or contestant.pop("failed", None)
    if reason:
        contestant["measured"]["cycles"] = dict.fromkeys((core.name for core in CORES), reason)


def costs(counted: dict[str, Any]) -> Numbers:
    """Of one decision, observation in and action out; where a tool is missing, what is said about it."""
    target = "rv32imc" if isinstance(counted["rv32imc"], dict) else "host C"
    sizes, instructions = counted[target], counted["instructions"]
    return {
        "object_bytes": sizes["total"] if isinstance(sizes, dict) else sizes,
        "object_target": target,
        "instructions": instructions["act"]["mean"] if isinstance(instructions, dict) else instructions,
    }


def number(contestants: dict[str, Numbers], name: str, unit: str) -> float | None:
    """A measured number, or None where there is none; `unit` is a core's name for mean cycles on it."""
    measured = contestants.get(name, {}).get("measured", {})
    cycles = measured.get("cycles", {}).get(unit)
    value = cycles["mean"] if isinstance(cycles, dict) else measured.get(unit)
    return value if isinstance(value, int | float) else None


def ratio(contestants: dict[str, Numbers], case: str, peer: str, unit: str) -> Numbers | None:
    """A peer's number over that of the int8 C."""
    ours, theirs = (number(contestants, f"{case}: {kind}", unit) for kind in ("int8", peer))
    if ours is None or theirs is None:
        return None
    value = theirs / ours
    return {"of_medians": value, "rounds": [value], "low": value, "high": value}


def fewer(contestants: dict[str, Numbers], peer: str) -> float | None:
    """How many times as many cycles a peer needs for one decision, on the core where that is least."""
    found = [ratio(contestants, SHOWN, peer, core.name) for core in CORES]
    return min(one["of_medians"] for one in found if one) if any(found) else None


def goals(contestants: dict[str, Numbers]) -> dict[str, Numbers]:
    """What this benchmark should show."""
    large, small = "4-64-64-2 tanh: int8", "4-16-16-2 relu: int8"
    found = {
        "4-64-64-2 tanh, bytes of the flatbuffer": report.goal(
            7472, number(contestants, large, "flatbuffer_bytes"), at_most=True
        ),
        "4-16-16-2 relu, bytes of the C object": report.goal(
            2048, number(contestants, small, "object_bytes"), at_most=True
        ),
    }
    return found | {
        f"{SHOWN}, times fewer cycles than {peer}, on the core where it is least": report.goal(
            wanted, fewer(contestants, peer)
        )
        for peer, wanted in TIMES.items()
    }


HEADER = ("", "flash B", "static RAM B", "stack B", "instructions", *(f"cycles, {core.name}" for core in CORES))


def rows(result: Numbers) -> list[list[str]]:
    """The table's rows; bytes are those of the linked program on rv32imc."""
    shown = []
    for name, numbers in result["contestants"].items():
        if reason := report.missing(numbers):
            shown.append([name, reason])
            continue
        units = ("flash_bytes", "ram_bytes", "stack_bytes", "instructions", *(core.name for core in CORES))
        found = [number(result["contestants"], name, unit) for unit in units]
        shown.append([name, *("" if value is None else f"{value:,.0f}" for value in found)])
        reasons = [value for value in numbers["measured"].get("cycles", {}).values() if isinstance(value, str)]
        shown += [[f"{name}, cycles", reason] for reason in dict.fromkeys(reasons)]
    return shown


def draw(result: Numbers, path: Path) -> None:
    """Bars: bytes of the C object, and instructions of a decision."""
    with report.figure(path, len(UNITS), (9, 3.5), share_y=False) as axes:
        for axis, unit in zip(axes, UNITS, strict=True):
            values = {name: number(result["contestants"], name, unit) or 0 for name in result["contestants"]}
            axis.barh(list(values), list(values.values()))
            axis.set(xlabel=unit.replace("_", " of the "), xscale="log")


def main() -> int:
    """Runs the benchmark; returns 1 if nothing could be exported."""
    about = "Bytes, instructions and cycles of deployed policies and their peers: about 10 minutes on 2 cores."
    return report.main("deploy", about, run, rows, HEADER, draw, f"{case_name(*CASES[0])}: int8")


if __name__ == "__main__":
    sys.exit(main())
