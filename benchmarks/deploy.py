"""What a deployed policy costs: bytes, TFLM's arena, instructions on rv32imc; against the same network as float C.

Nothing is timed: every number is counted, and the same on each run. The policies have fixed, untrained weights. Needs
the extra `export`; C compilers and QEMU are used where they are installed.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import float_c
import report
from contestants.network import weights
from report import Numbers

CASES = (((64, 64), "tanh"), ((64, 64), "relu"), ((16, 16), "relu"))
OBSERVATIONS = 2000
UNITS = ("object_bytes", "instructions")


def case_name(hidden: tuple[int, ...], activation: str) -> str:
    """As in "4-64-64-2 tanh"."""
    return f"{'-'.join(map(str, (4, *hidden, 2)))} {activation}"


# Float C has no tanh without a library.
FLOAT_CASES = tuple(case_name(*case) for case in CASES if case[1] == "relu")


def run(offline: bool, figure: bool) -> Numbers:
    """Exports each policy into a temporary folder and reads its report."""
    del offline, figure  # there is nothing to install, and nothing more to measure
    result: Numbers = {"benchmark": "deploy", "date": report.date(), "machine": report.machine()}
    result["machine"]["load_before"] = report.loads()
    contestants: dict[str, Numbers] = {}
    for hidden, activation in CASES:
        report.log(f"{case_name(hidden, activation)}: exporting")
        contestants |= measure(hidden, activation)
    result["machine"]["load_after"] = report.loads()
    ratios = {
        f"{case}: float C / int8 C, {unit}": ratio(contestants, case, unit) for case in FLOAT_CASES for unit in UNITS
    }
    return {**result, "contestants": contestants, "ratios": ratios, "goals": goals(contestants)}


def measure(hidden: tuple[int, ...], activation: str) -> dict[str, Numbers]:
    """One case as int8 and, with ReLU, as float C."""
    import jax
    import jax.numpy as jnp

    import edgerl
    from edgerl import deploy
    from edgerl.deploy import exporting
    from edgerl.envs.policy import MLPPolicy
    from edgerl.tasks.cartpole.baselines import visited_observations

    case = case_name(hidden, activation)
    settings = {"sizes": [4, *hidden, 2], "activation": activation}
    kernels, biases = weights((4, *hidden, 2))
    policy = MLPPolicy(tuple(map(jnp.asarray, kernels)), tuple(map(jnp.asarray, biases)), activation)
    observations = visited_observations(edgerl.make("CartPole-v1"), policy, jax.random.key(0), OBSERVATIONS, 0.2)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            made = deploy.export(policy, observations, folder / "int8")
        except edgerl.UserError as error:
            return {f"{case}: int8": {"settings": settings, "absent": str(error)}}
        sizes = {"flatbuffer_bytes": made["size"]["tflite"], "arena_bytes": made["size"]["tflm_arena"]}
        found = {f"{case}: int8": {"settings": settings, "measured": {**sizes, **costs(made["c"])}}}
        if case in FLOAT_CASES:
            (folder / "float").mkdir()
            float_c.write(folder / "float", kernels, biases)
            counted = exporting.measure(folder / "float", observations[:200].astype("int8"), observations[:200])
            found[f"{case}: float C"] = {"settings": settings, "measured": costs(counted)}
    return found


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
    """A measured number, or None where there is none."""
    value = contestants.get(name, {}).get("measured", {}).get(unit)
    return value if isinstance(value, int | float) else None


def ratio(contestants: dict[str, Numbers], case: str, unit: str) -> Numbers | None:
    """Float C over int8 C."""
    ours, theirs = (number(contestants, f"{case}: {kind}", unit) for kind in ("int8", "float C"))
    if ours is None or theirs is None:
        return None
    value = theirs / ours
    return {"of_medians": value, "rounds": [value], "low": value, "high": value}


def goals(contestants: dict[str, Numbers]) -> dict[str, Numbers]:
    """What this benchmark should show."""
    large, small = "4-64-64-2 tanh: int8", "4-16-16-2 relu: int8"
    return {
        "4-64-64-2 tanh, bytes of the flatbuffer": report.goal(
            7472, number(contestants, large, "flatbuffer_bytes"), at_most=True
        ),
        "4-16-16-2 relu, bytes of the C object": report.goal(
            2048, number(contestants, small, "object_bytes"), at_most=True
        ),
    }


HEADER = ("", "flatbuffer B", "TFLM arena B", "C object B", "compiled for", "instructions")


def rows(result: Numbers) -> list[list[str]]:
    """The table's rows."""
    shown = []
    for name, numbers in result["contestants"].items():
        if reason := report.missing(numbers):
            shown.append([name, reason])
            continue
        measured = numbers["measured"]
        keys = ("flatbuffer_bytes", "arena_bytes", "object_bytes", "object_target", "instructions")
        cells = [measured.get(key, "") for key in keys]
        shown.append([name, *(f"{cell:.0f}" if isinstance(cell, float) else str(cell) for cell in cells)])
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
    about = "Bytes and instructions of deployed policies, against plain float C: about 2 minutes on 2 cores."
    return report.main("deploy", about, run, rows, HEADER, draw, f"{case_name(*CASES[0])}: int8")


if __name__ == "__main__":
    sys.exit(main())
