"""YAML over typed dataclasses: unknown keys, wrong types and values out of range are errors that name the key."""

import contextlib
import dataclasses
import difflib
import math
import re
import reprlib
import sys
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edgerl.util.errors import UserError

Config = TypeVar("Config")

LARGEST = 100_000  # characters of a file
LARGEST_INT = 2**63 - 1  # where a field says nothing of its own


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
            raise UserError(
                f"{where}: unknown key '{_short(key)}'; known keys: {', '.join(fields)}{_near(key, fields)}"
            )
        if dataclasses.is_dataclass(hints[key]):
            made[key] = _nested(fields[key], hints[key], value, f"{where}: {key}")
        else:
            made[key] = _convert(hints[key], value, f"{where}: {key}", fields[key].metadata)
    return cls(**made)


def load(
    cls: type[Config],
    path: str | Path | None = None,
    overrides: Sequence[str] = (),
    defaults: str | Path | Mapping[str, Any] | None = None,
) -> Config:
    """A `cls` from YAML files, those of `defaults` first, and `key=value` overrides (`a.b=value` for nested keys).

    Of overrides of the same key the last one counts. `defaults` may be values, too.
    """
    if defaults is None or isinstance(defaults, Mapping):
        values: dict[str, Any] = dict(defaults or {})
    else:
        values = read_yaml(defaults)
    if path is not None:
        given = read_yaml(path)
        build(cls, given, str(path))  # so that a mistake in the user's own file is told with its name
        values = _merged(values, given)
    for text in overrides:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UserError(f"--set {_short(text)}: expected key=value, for example --set seed=1")
        target = values
        *parents, last = key.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise UserError(f"--set {text}: '{parent}' is a value, not a group of keys")
        given, before = parse_yaml(value, f"--set {_short(text)}"), target.get(last)
        target[last] = _merged(before, given) if isinstance(given, dict) and isinstance(before, dict) else given
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
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = (
            "it is not UTF-8 text" if isinstance(error, UnicodeError) else getattr(error, "strerror", None) or error
        )
        raise UserError(f"cannot read configuration {path}: {reason}") from error
    if len(text) > LARGEST:
        raise UserError(f"cannot read configuration {path}: more than {LARGEST:,} characters")
    values = parse_yaml(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected keys and values at the top level, got {_show(values)}")
    return values


def parse_yaml(text: str, where: str) -> Any:
    """Plain YAML, see `plain_yaml`: numbers are what they look like, no key is there twice, no tags."""
    import yaml

    from edgerl.util import plain_yaml

    try:
        return plain_yaml.parse(text)
    except plain_yaml.PlainError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        raise UserError(f"{where}: not valid YAML here ({line}{_short(error.problem)})") from error
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise UserError(f"{where}: not valid YAML ({line}{_short(problem)})") from error
    except yaml.YAMLError as error:
        raise UserError(f"{where}: not valid YAML ({_short(' '.join(str(error).split()))})") from error
    except RecursionError as error:
        raise UserError(f"{where}: not valid YAML (nested too deeply)") from error


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
    return _in_range(_scalar(hint, value, where, metadata), where, metadata)


def _scalar(hint: type, value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    if hint in (int, float) and isinstance(value, str):
        value = _number(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < sys.float_info.max else math.inf
    if hint is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if hint is bool and isinstance(value, str):
        value = _words().get(value, value) if type(value) is not str else value
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise UserError(f"{where}: expected {_name(hint)}, got {_show(value)}{_allowed(metadata)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{where}: expected a finite number, got {value}{_allowed(metadata)}")
    return str(value) if hint is str else value


def _number(hint: type, text: str, where: str) -> Any:
    """A number that YAML 1.1 takes for text, such as 3e-4; other text as it is."""
    if re.fullmatch(r"[-+]?0[0-9_]+", text):
        raise UserError(f"{where}: {text} may be meant in base ten or in base eight: write it without the leading 0")
    if hint is int:
        with contextlib.suppress(ValueError):
            return int(text, 0)  # 0x10, 1_000
    try:
        number = float(text)
    except ValueError:
        return text
    return number if hint is float or number.is_integer() else text


def _words() -> dict[str, bool]:
    """What YAML 1.1 takes for truth values, if it stands without quotes."""
    pairs = {"yes": True, "on": True, "no": False, "off": False}
    return {form(word): value for word, value in pairs.items() for form in (str.lower, str.title, str.upper)}


def _in_range(value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    low, high, choices = metadata.get("low"), metadata.get("high"), metadata.get("choices")
    if isinstance(value, int) and not isinstance(value, bool):
        high = LARGEST_INT if high is None else high
    if low is not None and value < low:
        raise UserError(f"{where}: {_short(value)} is below {low}, the least allowed{_allowed(metadata)}")
    if high is not None and value > high:
        raise UserError(f"{where}: {_short(value)} is above {high}, the most allowed{_allowed(metadata)}")
    if choices and value not in choices:
        near = _near(value, choices)
        raise UserError(f"{where}: '{_short(value)}' is not one of {', '.join(map(str, choices))}{near}")
    return value


def _allowed(metadata: Mapping[str, Any]) -> str:
    """The range, to end a message with."""
    low, high, choices = metadata.get("low"), metadata.get("high"), metadata.get("choices")
    if choices:
        return f"; allowed: {', '.join(map(str, choices))}"
    if low is None and high is None:
        return ""
    return f"; allowed: {low} or more" if high is None else f"; allowed: {'up' if low is None else low} to {high}"


def _near(key: Any, known: Iterable[Any]) -> str:
    """The known word that was probably meant, to end a message with."""
    near = difflib.get_close_matches(str(_short(key)), [str(word) for word in known], 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _name(hint: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, hint.__name__)


def _show(value: Any) -> str:
    shown = str.__repr__(value) if isinstance(value, str) and len(value) < _SHOWN else _REPR.repr(value)
    kind = "str" if isinstance(value, str) else type(value).__name__
    return f"{shown} ({kind})"


def _short(value: Any) -> str:
    """On one line, and no longer than a line may be."""
    text = str(value) if not isinstance(value, int) or abs(value) < 10**_SHOWN else "a very large number"
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class _Repr(reprlib.Repr):
    """Short even of integers that Python does not print."""

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if abs(x) < 10**_SHOWN else "a very large number"


_SHOWN = 200  # characters
_REPR = _Repr()
_REPR.maxstring = _REPR.maxother = _SHOWN
