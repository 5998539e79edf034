"""YAML over typed dataclasses: unknown keys, wrong types and values out of range are errors that name the key."""

import contextlib
import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edgerl.core.errors import UserError

Config = TypeVar("Config")


def field(
    default: Any, help: str, low: float | None = None, high: float | None = None, choices: Sequence[Any] = ()
) -> Any:
    """A dataclass field with a line of help and its range, checked by `build`. Bounds are inclusive."""
    metadata = {"help": help, "low": low, "high": high, "choices": tuple(choices)}
    return dataclasses.field(default=default, metadata=metadata)


def build(cls: type[Config], values: Mapping[str, Any], where: str = "configuration") -> Config:
    """Makes a `cls` from plain values, checking every key.

    Args:
      cls: a dataclass whose annotations are bool, int, float, str, tuple[T, ...], T | None or another such dataclass.
      values: key to value, nested mappings for nested dataclasses; missing keys keep their defaults, those of a nested
        dataclass the values that the field's own default has.
      where: what to call the source of the values in messages.
    Raises:
      UserError: unknown key, wrong type or value out of range; the message names the key.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{where}: expected keys and values, got {_show(values)}")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls))}
    made = {}
    for key, value in values.items():
        if key not in fields:
            raise UserError(f"{where}: unknown key '{key}'; known keys: {', '.join(fields)}")
        if dataclasses.is_dataclass(hints[key]):
            made[key] = _nested(fields[key], hints[key], value, f"{where}: {key}")
        else:
            made[key] = _convert(hints[key], value, f"{where}: {key}", fields[key].metadata)
    return cls(**made)


def load(
    cls: type[Config],
    path: str | Path | None = None,
    overrides: Sequence[str] = (),
    defaults: str | Path | None = None,
) -> Config:
    """A `cls` from YAML files, those of `defaults` first, and `key=value` overrides (`a.b=value` for nested keys)."""
    values: dict[str, Any] = read_yaml(defaults) if defaults is not None else {}
    if path is not None:
        given = read_yaml(path)
        build(cls, given, str(path))  # so that a mistake in the user's own file is told with its name
        values = _merged(values, given)
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UserError(f"--set {text}: expected key=value, for example --set seed=1")
        target = values
        *parents, last = key.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise UserError(f"--set {text}: '{parent}' is a value, not a group of keys")
        target[last] = parse_yaml(value, f"--set {text}")
    return build(cls, values)


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, group by group."""
    both = {
        key: _merged(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        for key, value in above.items()
    }
    return {**below, **both}


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A YAML file's top-level mapping; an empty file is an empty mapping."""
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read configuration {path}: {getattr(error, 'strerror', None) or error}") from error
    values = parse_yaml(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected keys and values at the top level, got {_show(values)}")
    return values


def parse_yaml(text: str, where: str) -> Any:
    """Plain YAML (no tags that build objects)."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise UserError(f"{where}: not valid YAML ({problem})") from error


def as_dict(config: Any) -> dict[str, Any]:
    """A configuration as plain values that YAML and JSON can hold and `build` reads back."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return as_dict(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _nested(field: dataclasses.Field[Any], cls: Any, value: Any, where: str) -> Any:
    """A nested dataclass, its missing keys as in the field's default."""
    made = build(cls, value, where)
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    if default is dataclasses.MISSING:
        return made
    return dataclasses.replace(default, **{key: getattr(made, key) for key in value})


def _convert(hint: Any, value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        hint = next(a for a in arguments if a is not type(None))
        return _convert(hint, value, where, metadata)
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise UserError(f"{where}: expected a list of {arguments[0].__name__}, got {_show(value)}")
        return tuple(_convert(arguments[0], item, f"{where}[{i}]", metadata) for i, item in enumerate(value))
    return _in_range(_scalar(hint, value, where), where, metadata)


def _scalar(hint: type, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, str):
        # YAML 1.1 reads 3e-4 as text; a user means a number.
        with contextlib.suppress(ValueError):
            value = float(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if hint is int and isinstance(value, str):
        with contextlib.suppress(ValueError, OverflowError):
            value = int(float(value)) if float(value).is_integer() else value
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise UserError(f"{where}: expected {_name(hint)}, got {_show(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{where}: expected a finite number, got {value}")
    return value


def _in_range(value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    low, high, choices = metadata.get("low"), metadata.get("high"), metadata.get("choices")
    if low is not None and value < low:
        raise UserError(f"{where}: {value} is below {low}, the least allowed")
    if high is not None and value > high:
        raise UserError(f"{where}: {value} is above {high}, the most allowed")
    if choices and value not in choices:
        raise UserError(f"{where}: '{value}' is not one of {', '.join(map(str, choices))}")
    return value


def _name(hint: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, hint.__name__)


def _show(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"
