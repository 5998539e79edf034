"""What `train`, `certify`, `export` and `verify` say on a terminal: a dozen rows. The rest is in files and `--json`."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgerl.util.tables import aligned, percent

if TYPE_CHECKING:  # importing it would import JAX
    from edgerl.tasks.run import Run

_WORDS = {True: "passed", False: "FAILED", None: "not run"}
_COUNTS = ("agent", "best_seed", "steps_per_seed", "devices_per_seed")


def of_train(folder: str, result: Mapping[str, Any]) -> str:
    """What was trained, how well the kept policy does, how long it took, and what comes next."""
    rows: list[list[Any]] = [["run", folder], ["environment", result["environment"]]]
    rows += [[key.replace("_", " "), result[key]] for key in _COUNTS if key in result]
    rows += [
        [f"{name}, {key}", value]
        for name in ("returns", "lengths")
        for key, value in result.get("evaluation", {}).get(name, {}).items()
        if key in ("mean", "std")
    ]
    rows += [[f"seconds of {name}", seconds] for name, seconds in result.get("seconds", {}).items()]
    return "\n".join(
        [aligned(rows), f"\nnext: edgerl evaluate {folder} · figures {folder} · export {folder} --out FOLDER"]
    )


def of_import(folder: str, run: "Run") -> str:
    """The file, what it has, and what comes next. Remarks have gone to standard error."""
    source, policy = run.result["imported"], run.policy
    rows: list[list[Any]] = [
        ["run", folder],
        ["environment", run.result["environment"]],
        ["file", f"{source['file']}, {source['format']}"],
        ["layers", "-".join(map(str, policy.sizes))],
        ["activation", policy.activation if len(policy.kernels) > 1 else "none"],
        ["scaled observations", "folded into the first layer" if source["normalised"] else "no"],
    ]
    return f"{aligned(rows)}\n\nnext: edgerl evaluate {folder} · export {folder} --out FOLDER"


def of_export(folder: str, report: Mapping[str, Any]) -> str:
    """The folder, how the int8 policy differs from the float one, what it reaches, and what it takes on a chip."""
    rows: list[list[Any]] = [[f"files in {folder}", ""]]
    fidelity = report["fidelity"]
    if "agreement" in fidelity:
        rows.append(["decides as the float policy", percent(fidelity["agreement"], 2)])
    else:
        rows.append(["differs from the float policy, mean, % of the actions' range", fidelity["error"]["mean"]])
    rows += [[name, value] for name, value in _numbers(report.get("closed_loop") or {}, "played: ")]
    rows.append(["model, bytes", report["size"]["tflite"]])
    rows.append(["TFLM arena, bytes", report["size"]["tflm_arena"]])
    for target in ("host C", "rv32imc"):
        sizes = report["c"].get(target)
        what = f"C for {target}, bytes"
        rows.append([what, sizes["total"] if isinstance(sizes, Mapping) else f"not measured: {sizes}"])
    counts = report["c"].get("instructions")
    if isinstance(counts, Mapping):
        rows.append(["instructions a decision, rv32imc", round(counts["act"]["mean"])])
    if "cascade" in report:
        rows += _cascade(report["cascade"])
    from edgerl.deploy.folder import PAGE  # which brings NumPy

    commands = f"demo {folder} · verify {folder}" if PAGE in report["files"] else f"verify {folder}"
    lines = [aligned(rows), *(f"note: {remark}" for remark in report.get("remarks", ()))]
    return "\n".join([*lines, f"\nall figures: {folder}/report.json, or --json; next: edgerl {commands}"])


def _numbers(played: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """The numbers of what a task says of the deployed policy; of groups their means."""
    for name, value in played.items():
        words = prefix + name.replace("_", " ")
        if isinstance(value, Mapping):
            means = {k: v["mean"] if isinstance(v, Mapping) else v for k, v in value.items()}
            yield from _numbers({k: v for k, v in means.items() if isinstance(v, (int, float))}, f"{words} ")
        elif isinstance(value, (int, float)):
            yield words, value


def _cascade(cascade: Mapping[str, Any]) -> Iterator[list[Any]]:
    yield ["images through the network", cascade["images"]]
    yield ["accuracy of the network's last exit, float32", percent(cascade["exits"]["accuracy_float32"][-1], 2)]
    yield ["the same, int8", percent(cascade["exits"]["accuracy_int8"][-1], 2)]
    yield ["accuracy with the policy, int8", percent(cascade["policy"]["int8_network"]["accuracy"], 2)]
    if isinstance(cascade["size"], Mapping):
        yield ["flash on rv32imc, bytes", cascade["size"]["flash"]]
        yield ["RAM on rv32imc, bytes", cascade["size"]["ram"]]
    for check in cascade["checks"]:
        yield [check["name"], _WORDS[check["passed"]]]


def of_certify(folder: str, found: Mapping[str, Any]) -> str:
    """The promise, the rule that keeps it, and what it costs, beside the rule chosen without a bound."""
    made, test = found["certificate"], found["test"] or {}
    rows: list[list[Any]] = [
        ["promised accuracy loss, at most", percent(made["loss"], 2)],
        ["with probability", round(1 - made["delta"], 6)],
        ["stop where the largest probability is at least", made["threshold"] / 65536],
        ["calibration images", made["images"]],
        ["accuracy loss on them", percent(made["measured_loss"], 2)],
        ["its upper bound", percent(made["bound"], 2)],
        ["p-value", made["p_value"]],
        [f"{made['cost']}, share of the last exit's", percent(made["cost_share"])],
    ]
    for name, called in (("certified", "test images"), ("naive", "test images, chosen without a bound")):
        if rule := test.get(name):
            rows.append([f"{called}: accuracy loss", percent(rule["accuracy_loss"], 2)])
            rows.append([f"{called}: {made['cost']}", percent(rule["cost_share"])])
    return "\n".join([aligned(rows), f"\nassumed: {made['assumption']}", f"next: edgerl export {folder} --out FOLDER"])


def of_verify(report: Mapping[str, Any]) -> str:
    """A row a check, and why one failed or was not run."""
    rows: list[list[Any]] = [["check", "result", "vectors that differ"]]
    why = []
    for check in report["checks"]:
        rows.append([check["name"], _WORDS[check["passed"]], check.get("differences", "")])
        if check["passed"] is not True:
            why.append(f"{check['name']}: {check['detail']}")
    summary = f"{_WORDS[report['passed']]}; {report['vectors']:,} vectors; all words: --json"
    return "\n".join([aligned(rows), *(["", *why] if why else []), "", summary])
