"""A configuration as a YAML file to edit: every key with its meaning, type, range and value."""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

_TYPES = {int: "whole number", float: "number", bool: "true or false", str: "text"}


def annotated(config: Any) -> str:
    """YAML that `util.config.load` reads back, a comment over every key.

    Args:
      config: an object of a dataclass whose fields are made by `util.config.field`.
    """
    return "\n".join(_lines(config, "")) + "\n"


def _lines(config: Any, indent: str) -> Iterator[str]:
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield f"{indent}{field.name}:"
            yield from _lines(value, f"{indent}  ")
            continue
        help = field.metadata.get("help", "")
        yield f"{indent}# {help} ({_kind(hints[field.name])}{_range(field.metadata)})"
        yield f"{indent}{field.name}: {_value(value)}"


def _value(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(plain, default_flow_style=True, width=10**6).removesuffix("...\n").strip()


def _kind(hint: Any) -> str:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join("null" if a is type(None) else _kind(a) for a in arguments)
    if typing.get_origin(hint) is tuple:
        return f"list, each a {_kind(arguments[0])}"
    return _TYPES.get(hint, getattr(hint, "__name__", str(hint)))


def _range(metadata: Mapping[str, Any]) -> str:
    low, high, choices = metadata.get("low"), metadata.get("high"), metadata.get("choices")
    if choices:
        return f": {' | '.join(map(str, choices))}"
    if low is None and high is None:
        return ""
    if high is None:
        return f", {low} or more"
    return f", {high} at most" if low is None else f", {low} to {high}"
