"""What the command line understands."""

import argparse
import re
from collections.abc import Callable
from typing import NoReturn

from edgerl import __version__
from edgerl.util.errors import one_line


class _Parser(argparse.ArgumentParser):
    """Mistakes on the command line get one line, not a page of usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message + _meant(message))} (see `{self.prog} --help`)\n")


def _meant(message: str) -> str:
    """What argparse's refusal of a word leaves out: which of the known words is nearest to it."""
    found = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)$", message)
    if not found:
        return ""
    import difflib  # which a right command does not wait for

    near = difflib.get_close_matches(found[1], re.findall(r"[\w-]+", found[2]), 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """What reads a whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:  # also where it has thousands of digits
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {low} to {high}")
        return value

    return read


def _path(text: str) -> str:
    """A file's or folder's name. Python takes an empty one for the folder that it is in."""
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a file or folder, got nothing")
    return text


_TASKS = "cartpole | early-exit | exit-stream | latent-nas | agent-vit"
_WHAT = f"{_TASKS} | an environment: its id, gymnax:ID, module:callable or file.py:callable"
_TRAIN_EXAMPLES = """edgerl train cartpole --set seed=3 --out runs/pole
  edgerl train gymnax:Acrobot-v1 --out runs/acrobot
  edgerl train thermostat.py:make --set ppo.num_updates=60 --out runs/heat   # a function that returns your environment
  edgerl config thermostat.py:make   # prints every key, to be set by --set or --config"""

_CONFIG_EXAMPLE = "edgerl config CartPole-v1 > pole.yaml && edgerl train CartPole-v1 --config pole.yaml --out runs/pole"


def parser() -> argparse.ArgumentParser:
    """Of all commands; a mistake ends the program with one line and status 2."""
    whole = _Parser(prog="edgerl", description="Decisions for small devices: simulate, learn, quantise, verify.")
    whole.epilog = "example: edgerl train cartpole --out runs/pole && edgerl export runs/pole --out runs/pole_c"
    whole.add_argument(
        "--version", action="version", version=f"edgerl {__version__}", help="print the version and exit"
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, help: str, example: str) -> argparse.ArgumentParser:
        formatter = argparse.RawDescriptionHelpFormatter
        return commands.add_parser(
            name, help=help, description=help, epilog=f"example:\n  {example}", formatter_class=formatter
        )

    train = command("train", "train a policy", _TRAIN_EXAMPLES)
    train.add_argument("what", metavar="WHAT", help=_WHAT)
    _add_configuration(train)
    what = "latent-nas: a table as AnalogNAS's, to train all models on; agent-vit: CIFAR-10's binary files"
    train.add_argument("--data", type=_path, metavar="FILE.csv|DIR", help=what)
    train.add_argument(
        "--out", type=_path, metavar="RUN", required=True, help="new folder for the run, or an unfinished one to resume"
    )
    _add_processes(train, "edgerl train early-exit --out runs/exits")

    config = command(
        "config", "print every key of a configuration, with its meaning, type, range and value", _CONFIG_EXAMPLE
    )
    config.add_argument("what", metavar="WHAT", help=_WHAT)
    _add_configuration(config)
    envs = command("envs", "list environments, with their spaces", "edgerl envs")

    evaluate = command(
        "evaluate", "evaluate a run against random play, baselines and bounds", "edgerl evaluate runs/pole --json"
    )
    figures = command("figures", "draw the pictures of a run into RUN/figures", "edgerl figures runs/pole")
    export = command(
        "export",
        "write the policy as C, as a .tflite model, and as ESP-IDF and Arduino packages",
        "edgerl export runs/pole --out runs/pole_c",
    )
    certify = command(
        "certify",
        "early-exit: the cheapest rule that is proven to keep the last exit's accuracy but for a promised loss",
        "edgerl certify runs/exits --loss 0.01 --delta 0.1 && edgerl export runs/exits --out runs/exits_c",
    )
    certify.add_argument(
        "--loss", type=float, required=True, help="accuracy that may be lost against the last exit; 0.01 is one point"
    )
    certify.add_argument(
        "--delta", type=float, default=0.1, help="probability, at most, that more is lost (default: 0.1)"
    )
    runs = (evaluate, figures, certify, export)
    for sub in runs:
        sub.add_argument("run", type=_path, metavar="RUN", help="folder that `edgerl train` wrote")
    export.add_argument("--out", type=_path, metavar="FOLDER", required=True, help="new folder for the files")
    export.add_argument(
        "--name",
        default="policy",
        help="first part of every file's, symbol's and macro's name in firmware (default: policy)",
    )
    many = whole_number(1, 10_000_000)
    export.add_argument("--episodes", type=many, metavar="N", help="of report.json's returns, int8 and float32 each")
    export.add_argument(
        "--cascade",
        action="store_true",
        help="early-exit: the network too, as int8 C, evaluated and verified on images",
    )
    export.add_argument("--data", type=_path, metavar="DIR", help="CIFAR-100's binary files, for --cascade")
    export.add_argument("--onnx", action="store_true", help="the float policy as NAME.onnx, too")
    figures.add_argument(
        "--data", type=_path, metavar="DIR", help="CIFAR-100's binary files, for early-exit's gallery of images"
    )

    serial = command(
        "serial",
        "play the environment against a board, or the emulated chip",
        "edgerl serial runs/pole_c --port /dev/ttyUSB0",
    )
    serial.add_argument("export", type=_path, metavar="EXPORT", help="folder that `edgerl export` wrote")
    serial.add_argument(
        "--port", help="serial port of a board with the export's example (default: an emulated rv32imc)"
    )
    serial.add_argument("--env", metavar="ENV", help="the environment (default: the one that the export names)")
    serial.add_argument(
        "--episodes", type=whole_number(1, 10_000), default=10, metavar="N", help="how many to play (default: 10)"
    )
    demo = command("demo", "open an export's page: its C plays its environment in a browser", "edgerl demo runs/pole_c")
    demo.add_argument("export", type=_path, metavar="EXPORT", help="folder that `edgerl export` wrote")
    demo.add_argument("--no-open", action="store_true", help="only say where the page is")
    verify = command(
        "verify",
        "compare JAX, TensorFlow Lite Micro and the C, bit for bit, here and on emulated processors",
        "edgerl verify runs/pole_c --json",
    )
    verify.add_argument("folder", type=_path, metavar="FOLDER", help="folder that `edgerl export` wrote")
    verify.add_argument(
        "--targets",
        nargs="+",
        metavar="TARGET",
        help="machines that run the C: 'host C', rv32imc, Cortex-M0, Cortex-M4F, 'Xtensa lx106', ATmega2560, "
        "ATmega328P, WebAssembly (default: all whose tools are installed; the others are named)",
    )
    told = "observations that each machine decides on (default: 100000; AVRs take 2000 at most)"
    verify.add_argument("--vectors", type=many, default=100_000, metavar="N", help=told)
    verify.add_argument(
        "--converter", action="store_true", help="compare with TensorFlow's conversion of the float policy, too (10 s)"
    )

    simulate = command("simulate", "play many episodes at once", "edgerl simulate CartPole-v1 --policy runs/pole")
    simulate.add_argument(
        "env", metavar="ENV", help="CartPole-v1 or another id, gymnax:ID, module:callable or file.py:callable"
    )
    who = "a run's float policy, or an export's as its C decides (default: random)"
    simulate.add_argument("--policy", type=_path, default="random", metavar="random|RUN|EXPORT", help=who)
    count, seed = whole_number(1, 2**31 - 1), whole_number(0, 2**32 - 1)
    simulate.add_argument("--envs", type=count, default=16384, metavar="N", help="environments (default: 16384)")
    simulate.add_argument("--steps", type=count, default=1000, metavar="N", help="steps of each (default: 1000)")
    simulate.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of the random key (default: 0)")
    _add_processes(simulate, "edgerl simulate CartPole-v1 --envs 1000000")

    bench = command("bench", "measure against the peers that are installed", "edgerl bench sim --json")
    measures = ("sim", "ppo", "deploy", "stream", "vit")
    bench.add_argument("what", nargs="?", default="sim", choices=measures, help="default: sim")
    bench.add_argument("--figure", type=_path, metavar="FILE.png", help="sim, ppo, vit: also draw the result")
    problems = ("CartPole-v1", "Pendulum-v1")
    bench.add_argument("--env", choices=problems, help="ppo: in this environment alone (default: one after another)")

    import_, build = _add_logits(command)
    policy = _add_import_policy(command)

    for sub in (envs, policy, *runs, serial, demo, verify, simulate, bench, import_, build):
        sub.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return whole


def _add_import_policy(command: Callable[..., argparse.ArgumentParser]) -> argparse.ArgumentParser:
    policy = command(
        "import-policy",
        "make a run of a policy that another library trained",
        "edgerl import-policy CartPole-v1.zip --env CartPole-v1 --out runs/pole && edgerl evaluate runs/pole",
    )
    policy.add_argument(
        "file",
        type=_path,
        metavar="FILE",
        help="Stable-Baselines3's zip (PPO, A2C, DQN), a state dictionary of torch.save, .safetensors or .npz, an int8 "
        ".tflite; nothing is unpickled",
    )
    policy.add_argument("--env", metavar="ENV", required=True, help="the environment that it decides in")
    policy.add_argument("--out", type=_path, metavar="RUN", required=True, help="new folder for the run")
    policy.add_argument(
        "--normaliser",
        type=_path,
        metavar="FILE",
        help="what scaled its observations: vecnormalize.pkl, or mean and var in .npz or .safetensors",
    )
    policy.add_argument(
        "--activation",
        choices=("relu", "relu6", "tanh", "sigmoid"),
        help="between the layers, where the file does not say",
    )
    policy.add_argument(
        "--prefix", default="", metavar="NAME", help="of the tensors that count, where a file has several networks"
    )
    return policy


def _add_logits(command: Callable[..., argparse.ArgumentParser]) -> tuple[argparse.ArgumentParser, ...]:
    """The parsers of `edgerl logits import` and `edgerl logits build`."""
    logits = command(
        "logits",
        "the table of exits' answers that early-exit runs on",
        "edgerl logits import mine.npz --out table.npz && edgerl train early-exit --set table=table.npz --out RUN",
    )
    sources = logits.add_subparsers(dest="source", required=True, metavar="import|build", parser_class=_Parser)
    import_ = sources.add_parser(
        "import",
        help="from your own network's logits, from any framework",
        description="FILE.npz: logits float [N, K, C], labels int [N], macs or latency_ms [K] (cumulative, each exit's "
        "head included), optional split int [N] (0 fit, 1 policy, 2 test). See examples/own_logits.py.",
        epilog="example: edgerl logits import mine.npz --out table.npz",
    )
    import_.add_argument("file", type=_path, metavar="FILE.npz")
    import_.add_argument("--out", type=_path, metavar="TABLE", required=True, help="new file for the table")
    build = sources.add_parser(
        "build",
        help="train a network with exits, and compute its table",
        description="Trains a ResNet-18 with four exits on CIFAR-100, or the network of a configuration; the same "
        "command goes on after an interruption.",
        epilog="example: edgerl logits build --data cifar-100-binary --set trunk.width=16 --out runs/trunk16",
    )
    build.add_argument(
        "--data", type=_path, metavar="DIR", help="the official binary files (default: tensorflow-datasets)"
    )
    _add_configuration(build)
    build.add_argument(
        "--out", type=_path, metavar="FOLDER", required=True, help="for checkpoints, table.npz and weights.npz"
    )
    return import_, build


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=_path, metavar="FILE.yaml", help="configuration; missing keys keep their defaults"
    )
    parser.add_argument(
        "--set",
        metavar="key=value",
        action="extend",
        nargs="+",
        default=[],
        help="single keys of the configuration; they win over the file's",
    )


def _add_processes(command: argparse.ArgumentParser, example: str) -> None:
    """Options for a run over several processes, on one machine or on many."""
    command.epilog = f"""{command.epilog}
several processes: under srun, mpirun or on a cloud's TPU pods they find each other; else say who they are, each:
  {example} --coordinator node1:1234 --processes 2 --process-id 0   # on node1
  {example} --coordinator node1:1234 --processes 2 --process-id 1   # on node2"""
    more = command.add_argument_group("several processes")
    more.add_argument(
        "--coordinator", metavar="HOST:PORT", help="address of process 0, which all must reach, and a free port there"
    )
    number, index = whole_number(1, 2**16), whole_number(0, 2**16 - 1)
    more.add_argument(
        "--processes", type=number, metavar="N", help="how many there are; 1: this process alone, whatever started it"
    )
    more.add_argument(
        "--process-id",
        type=index,
        metavar="I",
        help="number of this process, from 0; process 0 writes the files",
    )
