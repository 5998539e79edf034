"""Pages that the program itself writes: its command line, its configuration keys, its environments."""

import argparse
from collections.abc import Iterator

_WHAT = {
    "cartpole": "CartPole-v1, with the preset that solves it in 49,152 steps",
    "early-exit": "when to stop a network early",
    "exit-stream": "what to compute next of a stream of frames",
    "latent-nas": "an agent that searches networks for analogue hardware",
    "agent-vit": "which image patches a vision transformer is trained on",
}


def commands() -> str:
    """Every command, with its options, from the parser."""
    from edgerl.cli.parser import parser

    return "\n".join(line for name, sub in subparsers(parser()) for line in _command(name, sub))


def subparsers(parser: argparse.ArgumentParser, before: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """(name, parser) of each command, and of each command's own commands: "train", "logits import"."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                inner = list(subparsers(sub, f"{before}{name} "))
                yield from inner or [(f"{before}{name}", sub)]


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## edgerl {name} {{#{name.replace(' ', '-')}}}\n"
    yield f"{_sentence(parser.description or '')}\n"
    usage = parser.format_usage().removeprefix("usage: ").split()
    yield f"```text\n{' '.join(usage)}\n```\n"
    yield "| argument | what it is |\n|---|---|"
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            yield f"| {_names(action)} | {_escaped(action.help or '')} |"
    yield f"\n```text\n{(parser.epilog or '').strip()}\n```\n"


def _names(action: argparse.Action) -> str:
    value = action.metavar or ("" if action.nargs == 0 or not action.option_strings else action.dest.upper())
    if not action.option_strings:
        return f"`{value or action.dest}`"
    return ", ".join(f"`{' '.join([option, str(value)]).strip()}`" for option in action.option_strings)


def configuration() -> str:
    """Every task's keys, as `edgerl config` prints them."""
    from edgerl.tasks.registry import task_of
    from edgerl.util.config_text import annotated

    parts = []
    for what, title in _WHAT.items():
        text = annotated(task_of(what).settings(None, []))
        parts.append(f"## {what}\n\n{_sentence(title)}\n\n```yaml\n{text}```\n")
    return "\n".join(parts)


def environments() -> str:
    """What `edgerl envs` lists, and the first paragraph of each environment's docstring."""
    from edgerl.cli import listing

    return f"```text\n{listing.text(listing.environments()).rstrip()}\n```\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
