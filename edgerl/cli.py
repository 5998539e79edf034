"""The front door: parses, calls, prints. What the commands do lives in `edgerl.pipelines`.

Exit status: 0 done, 1 a check failed, 2 the user's input is wrong, 130 interrupted.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from edgerl.core.errors import UserError

SYSTEMS = ("cartpole", "early-exit", "latent-nas", "agent-vit")


class _Parser(argparse.ArgumentParser):
    """Mistakes on the command line get one line, not a page of usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def _parser() -> _Parser:
    parser = _Parser(prog="edgerl", description="Decisions for small devices: simulate, learn, quantise, verify.")
    parser.epilog = "example: edgerl train cartpole --out runs/pole && edgerl export runs/pole --out runs/pole_c"
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, help: str, example: str) -> argparse.ArgumentParser:
        formatter = argparse.RawDescriptionHelpFormatter
        return commands.add_parser(
            name, help=help, description=help, epilog=f"example:\n  {example}", formatter_class=formatter
        )

    train = command("train", "train a policy for a system", "edgerl train cartpole --set seed=3 --out runs/pole")
    train.add_argument("system", metavar="SYSTEM", choices=SYSTEMS, help=" | ".join(SYSTEMS))
    _add_configuration(train)
    what = "latent-nas: a table as AnalogNAS's, to train on anew; agent-vit: CIFAR-10's binary files"
    train.add_argument("--data", metavar="FILE.csv|DIR", help=what)
    train.add_argument(
        "--out", metavar="RUN", required=True, help="new folder for the run, or an unfinished one to resume"
    )

    evaluate = command(
        "evaluate", "judge a run against the system's baselines and bounds", "edgerl evaluate runs/pole --json"
    )
    figures = command("figures", "draw the pictures of a run into RUN/figures", "edgerl figures runs/pole")
    export = command(
        "export", "write tflite, C array, C source, ESP-IDF, Arduino", "edgerl export runs/pole --out runs/pole_c"
    )
    for sub in (evaluate, figures, export):
        sub.add_argument("run", metavar="RUN", help="folder that `edgerl train` wrote")
    export.add_argument("--out", metavar="FOLDER", required=True, help="new folder for the files")
    export.add_argument(
        "--cascade", action="store_true", help="early-exit: the network too, as int8 C, judged and verified on images"
    )
    export.add_argument("--data", metavar="DIR", help="CIFAR-100's binary files, for --cascade")
    figures.add_argument("--data", metavar="DIR", help="CIFAR-100's binary files, for early-exit's gallery of images")

    verify = command("verify", "compare JAX, TFLM, host C and rv32imc, bit for bit", "edgerl verify runs/pole_c --json")
    verify.add_argument("folder", metavar="FOLDER", help="folder that `edgerl export` wrote")

    simulate = command("simulate", "play many episodes at once", "edgerl simulate CartPole-v1 --policy runs/pole")
    simulate.add_argument("env", metavar="ENV", help="environment id, for example CartPole-v1")
    who = "a run's float policy, or an export's as its C decides (default: random)"
    simulate.add_argument("--policy", default="random", metavar="random|RUN|EXPORT", help=who)
    simulate.add_argument("--envs", type=int, default=16384, metavar="N", help="environments (default: 16384)")
    simulate.add_argument("--steps", type=int, default=1000, metavar="N", help="steps of each (default: 1000)")
    simulate.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random key (default: 0)")

    bench = command("bench", "measure against the peers that are installed", "edgerl bench sim --json")
    bench.add_argument("what", nargs="?", default="sim", choices=("sim", "ppo", "deploy"), help="default: sim")

    bring, build = _add_logits(command)

    for sub in (evaluate, figures, export, verify, simulate, bench, bring, build):
        sub.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return parser


def _add_logits(command: Callable[..., argparse.ArgumentParser]) -> tuple[argparse.ArgumentParser, ...]:
    """The parsers of `edgerl logits import` and `edgerl logits build`."""
    logits = command(
        "logits",
        "the table of exits' answers that early-exit runs on",
        "edgerl logits import mine.npz --out table.npz && edgerl train early-exit --set table=table.npz --out RUN",
    )
    sources = logits.add_subparsers(dest="source", required=True, metavar="import|build", parser_class=_Parser)
    bring = sources.add_parser(
        "import",
        help="from your own network's logits, from any framework",
        description="FILE.npz: logits float [N, K, C], labels int [N], macs or latency_ms [K] (cumulative, each exit's "
        "head included), optional split int [N] (0 fit, 1 policy, 2 test). See examples/own_logits.py.",
        epilog="example: edgerl logits import mine.npz --out table.npz",
    )
    bring.add_argument("file", metavar="FILE.npz")
    bring.add_argument("--out", metavar="TABLE", required=True, help="new file for the table")
    build = sources.add_parser(
        "build",
        help="train a trunk on CIFAR-100, compute its table",
        description="Trains a ResNet-18 with four exits; the same command goes on after an interruption.",
        epilog="example: edgerl logits build --data cifar-100-binary --set trunk.width=16 --out runs/trunk16",
    )
    build.add_argument("--data", metavar="DIR", help="the official binary files (default: tensorflow-datasets)")
    _add_configuration(build)
    build.add_argument("--out", metavar="FOLDER", required=True, help="for checkpoints, table.npz and weights.npz")
    return bring, build


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE.yaml", help="configuration; missing keys keep their defaults")
    parser.add_argument(
        "--set", metavar="key=value", action="extend", nargs="+", default=[], help="single keys, after the file's"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except UserError as error:
        print(f"edgerl {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"edgerl {options.command}: interrupted{f'; {error}' if str(error) else ''}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing to report, and nothing more to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _train(options: argparse.Namespace) -> int:
    from edgerl import pipelines

    pipeline = pipelines.of_system(options.system)
    data = [f"data={options.data}"] if options.data is not None else []
    result = pipeline.train(options.config, options.set + data, options.out)
    _show(result, as_json=False)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from edgerl import pipelines

    _show(pipelines.of_run(options.run).evaluate(options.run), options.json)
    return 0


def _figures(options: argparse.Namespace) -> int:
    from edgerl import pipelines

    files = pipelines.of_run(options.run).figures(options.run, options.data)
    _show({"figures": [str(path) for path in files]}, options.json)
    return 0


def _export(options: argparse.Namespace) -> int:
    from edgerl import pipelines

    if options.cascade:
        from edgerl.pipelines import cascade

        report = cascade.export(options.run, options.out, options.data)
    elif options.data is not None:
        raise UserError("--data: only an export with --cascade needs data")
    else:
        report = pipelines.of_run(options.run).export(options.run, options.out)
    # On a terminal without the hashes and scales, which are in report.json.
    shown = ("fidelity", "closed_loop", "size", "c", "cascade")
    brief = {name: report[name] for name in shown if report.get(name) is not None}
    _show(report if options.json else {"folder": str(options.out), **brief}, options.json)
    return 0 if report.get("cascade", {"passed": True})["passed"] else 1


def _verify(options: argparse.Namespace) -> int:
    from edgerl import deploy

    report = deploy.verify(options.folder)
    _show(report, options.json)
    return 0 if report["passed"] else 1


def _simulate(options: argparse.Namespace) -> int:
    from edgerl.pipelines import simulation

    _show(simulation.simulate(options.env, options.policy, options.envs, options.steps, options.seed), options.json)
    return 0


def _bench(options: argparse.Namespace) -> int:
    from edgerl.pipelines import bench

    return bench.run(options.what, options.json)


def _logits(options: argparse.Namespace) -> int:
    from edgerl.pipelines import logits

    if options.source == "import":
        result = logits.bring(options.file, options.out)
    else:
        result = logits.build(options.config, options.set, options.data, options.out)
    _show(result, options.json)
    return 0


_COMMANDS = {
    "train": _train,
    "evaluate": _evaluate,
    "figures": _figures,
    "export": _export,
    "verify": _verify,
    "simulate": _simulate,
    "bench": _bench,
    "logits": _logits,
}


def _show(result: dict[str, Any], as_json: bool) -> None:
    """One JSON object, or the same as indented lines."""
    if as_json:
        print(json.dumps(result))
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


if __name__ == "__main__":
    sys.exit(main())
