"""The front door: parses, calls, prints. What the commands do lives in `edgerl.tasks`.

Exit status: 0 done, 1 a check failed, 2 the user's input is wrong, 3 another process is gone, 130 interrupted.
"""

import argparse
import contextlib
import gc
import inspect
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from edgerl.cli import failures, reports
from edgerl.cli.parser import parser
from edgerl.util import startup
from edgerl.util.distributed import processes
from edgerl.util.distributed.endings import end
from edgerl.util.errors import UserError
from edgerl.util.json_text import to_json
from edgerl.util.tables import aligned

# Tracing a program makes some hundred thousand objects that stay. Python's own threshold would have all of them looked
# through again and again for what could be freed: a tenth of the time of a first result.
_OBJECTS_BEFORE_COLLECTION = 200_000


def run() -> NoReturn:
    """What the shell starts: `main`, in a process that nobody goes on to use."""
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION)
    failures.prepare_streams()
    # JAX tells of a full disk below its cache in two lines, and goes on without the cache.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    try:
        status = main()
    except KeyboardInterrupt as error:  # while another one was told
        status = failures.report("edgerl", "", error)
    end(status)  # without taking JAX apart piece by piece, which takes longer than a small training


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if any("\0" in argument for argument in arguments):  # which no shell can pass on, and no file is called
        parser().error("an argument holds the character NUL")
    options = parser().parse_args(arguments)
    return processes.leave(_run(options))


def _run(options: argparse.Namespace) -> int:
    name = f"edgerl {options.command}"
    try:
        startup.require_jax(devices=False)
        with _joined(name, options):
            startup.require_jax(devices=True)
            return _COMMANDS[options.command](options)
    except BaseException as error:
        return failures.report(name, _place(options), error)


def _joined(name: str, options: argparse.Namespace) -> contextlib.AbstractContextManager[None]:
    """The other processes, for the commands that can be shared out."""
    if "coordinator" not in options:
        return contextlib.nullcontext()
    return processes.joined(name, options.coordinator, options.processes, options.process_id)


def _place(options: argparse.Namespace) -> str:
    """What a command writes."""
    places = (getattr(options, name, None) for name in ("out", "figure", "run", "folder"))
    return next((place for place in places if place is not None), failures.OUTPUT)


def _train(options: argparse.Namespace) -> int:
    from edgerl.tasks.registry import task_of

    task = task_of(options.what)
    # As YAML's text in quotes, which JSON's is: a folder may be called `null` or `2026`.
    data = [f"data={to_json(options.data)}"] if options.data is not None else []
    result = task.train(task.settings(options.config, options.set + data), options.out)
    if processes.is_first():
        with failures.printing():
            print(reports.of_train(str(options.out), result))
    return 0


def _config(options: argparse.Namespace) -> int:
    from edgerl.tasks.registry import task_of
    from edgerl.util.config_text import annotated

    text = annotated(task_of(options.what).settings(options.config, options.set))
    with failures.printing():
        print(f"# edgerl train {options.what} --config FILE.yaml --out RUN\n{text}", end="")
    return 0


def _envs(options: argparse.Namespace) -> int:
    from edgerl.cli import listing

    found = listing.environments()
    with failures.printing():
        print(to_json(found) if options.json else listing.text(found))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from edgerl.tasks.registry import open_run
    from edgerl.tasks.run import JUDGEMENT

    run = open_run(options.run)
    found = run.evaluate()
    with failures.printing():
        if options.json:
            print(to_json(found))
        else:
            print(aligned(run.task.table(found)))
            print(f"\nall figures: {run.folder / JUDGEMENT}, or --json")
    return 0


def _figures(options: argparse.Namespace) -> int:
    from edgerl.tasks.registry import open_run

    files = open_run(options.run).figures(options.data)
    _show({"figures": [str(path) for path in files]}, options.json)
    return 0


def _certify(options: argparse.Namespace) -> int:
    from edgerl.tasks.registry import open_run

    found = open_run(options.run).certify(options.loss, options.delta)
    with failures.printing():
        print(to_json(found) if options.json else reports.of_certify(options.run, found))
    return 0


def _export(options: argparse.Namespace) -> int:
    from edgerl.tasks.registry import open_run, task_of_run

    if options.cascade and "cascade" not in inspect.signature(task_of_run(options.run).export).parameters:
        raise UserError(f"{options.run} is no early-exit run: only those have a cascade")
    if options.data is not None and not options.cascade:
        raise UserError("--data: only an export with --cascade needs data")
    more: dict[str, Any] = {"cascade": True, "data": options.data} if options.cascade else {}
    if options.episodes is not None:
        if "episodes" not in inspect.signature(task_of_run(options.run).export).parameters:
            raise UserError(f"--episodes: {options.run} is judged on data, not in episodes")
        more["episodes"] = options.episodes
    if options.onnx:
        more["onnx"] = True
    report = open_run(options.run).export(options.out, name=options.name, **more)
    with failures.printing():
        print(to_json(report) if options.json else reports.of_export(str(options.out), report))
    return 0 if report.get("cascade", {"passed": True})["passed"] else 1


def _import_policy(options: argparse.Namespace) -> int:
    from edgerl.tasks.imports.importing import import_run

    run = import_run(
        options.file,
        options.env,
        options.out,
        normaliser=options.normaliser,
        activation=options.activation,
        prefix=options.prefix,
    )
    with failures.printing():
        print(to_json(run.result) if options.json else reports.of_import(options.out, run))
    return 0


def _serial(options: argparse.Namespace) -> int:
    import jax

    from edgerl.deploy import serial
    from edgerl.deploy.folder import open_folder
    from edgerl.deploy.toolchain import ToolError
    from edgerl.envs.registry import make
    from edgerl.envs.vectors import as_vectors

    named = open_folder(options.export).environment
    if options.env is None and named is None:
        raise UserError(f"{options.export} names no environment: say which one with --env")
    env = as_vectors(make(options.env or (named or {})["id"]))
    try:
        export = options.export
        with serial.board(options.port, export) if options.port else serial.emulated_chip(export) as chip:
            returns = serial.play(chip, env, jax.random.key(0), options.episodes)
    except ToolError as error:
        print(f"edgerl: {error}", file=sys.stderr)
        return 1
    summary = {name: float(getattr(returns, name)()) for name in ("mean", "min", "max")}
    _show({"env": env.id, "episodes": len(returns), "return": summary, **chip.record.summary()}, options.json)
    return 0


def _demo(options: argparse.Namespace) -> int:
    from edgerl.cli import demo

    found = demo.show(options.export, not options.no_open)
    with failures.printing():
        print(to_json(found) if options.json else found["page"])
    if not (options.no_open or found["opened"]):
        print("edgerl demo: no browser was found here: open the file yourself", file=sys.stderr)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from edgerl import deploy

    report = deploy.verify(options.folder, options.vectors, converter=options.converter, targets=options.targets)
    with failures.printing():
        print(to_json(report) if options.json else reports.of_verify(report))
    return 0 if report["passed"] else 1


def _simulate(options: argparse.Namespace) -> int:
    from edgerl.tasks import simulation

    result = simulation.simulate(options.env, options.policy, options.envs, options.steps, options.seed)
    if not options.json and not result["episodes"]:  # JSON has nulls
        result = {k: v for k, v in result.items() if k not in ("returns", "lengths")}
        result["returns"] = f"no episode finished within {options.steps} steps: give more --steps"
    if processes.is_first():
        _show(result, options.json)
    return 0


def _bench(options: argparse.Namespace) -> int:
    from edgerl.cli import bench

    return bench.run(options.what, options.json, options.figure, options.env)


def _logits(options: argparse.Namespace) -> int:
    from edgerl.tasks.registry import command

    _show(command("logits")(options), options.json)
    return 0


_COMMANDS = {
    "train": _train,
    "config": _config,
    "envs": _envs,
    "evaluate": _evaluate,
    "figures": _figures,
    "certify": _certify,
    "export": _export,
    "import-policy": _import_policy,
    "serial": _serial,
    "demo": _demo,
    "verify": _verify,
    "simulate": _simulate,
    "bench": _bench,
    "logits": _logits,
}


def _show(result: dict[str, Any], as_json: bool) -> None:
    """One JSON object, or the same as indented lines."""
    with failures.printing():
        if as_json:
            print(to_json(result))
        else:
            _print_tree(result, 0)


def _print_tree(value: dict[str, Any], depth: int) -> None:
    width = max((len(key) for key in value), default=0)
    for key, item in value.items():
        if isinstance(item, dict):
            print(f"{'  ' * depth}{key}:")
            _print_tree(item, depth + 1)
        elif isinstance(item, list):
            print(f"{'  ' * depth}{key}:")
            for entry in item:
                text = "  ".join(map(_number, entry.values())) if isinstance(entry, dict) else _number(entry)
                print(f"{'  ' * (depth + 1)}{text}")
        else:
            print(f"{'  ' * depth}{key:<{width}}  {_number(item)}")


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
