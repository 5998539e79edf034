"""Pickles read without unpickling: nothing that a pickle names is imported, called or built.

A pickle is a program for a small stack machine. Here it runs on plain values only: a name stays a `Name`, a call of it
becomes a `Call` that nobody makes. What the file meant is read off these afterwards.
"""

import dataclasses
import io
import pickletools
import warnings
from collections.abc import Callable
from typing import Any

MOST_BYTES = 2**23
_MOST_STEPS = 200_000  # a state dictionary takes about ten for each tensor
_MARK = object()


class PickleError(ValueError):
    """A pickle that is damaged, or holds what is not read."""


@dataclasses.dataclass(frozen=True)
class Name:
    """What a pickle would import.

    Attributes:
      path: module and name, "torch.FloatStorage".
    """

    path: str


@dataclasses.dataclass(eq=False)
class Call:
    """What a pickle would make by calling something.

    Attributes:
      name: of what it would call.
      arguments: of the call.
      state: what it would set afterwards, or None.
    """

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


@dataclasses.dataclass(frozen=True, eq=False)
class Elsewhere:
    """What is kept outside of the pickle.

    Attributes:
      where: how the pickle calls it.
    """

    where: Any


def read(data: bytes, known: Callable[[str], bool]) -> Any:
    """The plain value of a pickle: numbers, texts, bytes, tuples, lists, dictionaries; `Name`, `Call`, `Elsewhere`.

    Args:
      data: at most `MOST_BYTES`.
      known: whether a module and name may occur.
    Raises:
      PickleError: it is damaged, longer, or holds a step or a name that is not known.
    """
    if len(data) > MOST_BYTES:
        raise PickleError(f"it has {len(data):,} bytes; at most {MOST_BYTES:,} are read")
    machine = _Machine(known)
    try:
        return _run(machine, data)
    except PickleError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise PickleError("it is damaged or truncated") from error


def _run(machine: "_Machine", data: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pickletools decodes names as Python's own text, of which it may warn
        for count, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(data))):
            if count >= _MOST_STEPS:
                raise PickleError(f"it has more than {_MOST_STEPS:,} steps")
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    raise PickleError("it is truncated")


class _Machine:
    """The stack, and what is kept for later by number."""

    def __init__(self, known: Callable[[str], bool]) -> None:
        self._known = known
        self._stack: list[Any] = []
        self._kept: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _MADE:
            self._stack.append(_MADE[name]())
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise PickleError(f"it has a step that is not read, {name}")

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise PickleError("it is damaged")
        return value

    def _popped(self, count: int) -> tuple[Any, ...]:
        return tuple(reversed([self.pop() for _ in range(count)]))

    def _above_mark(self) -> list[Any]:
        found = []
        while (value := self._stack.pop()) is not _MARK:
            found.append(value)
        return found[::-1]

    def keep(self, argument: int | None) -> None:
        self._kept[len(self._kept) if argument is None else argument] = self._stack[-1]

    def get(self, argument: int) -> None:
        self._stack.append(self._kept[argument])

    def tuple_of(self, count: int | None) -> None:
        self._stack.append(tuple(self._above_mark()) if count is None else self._popped(count))

    def name(self, argument: str | None) -> None:
        parts = self._popped(2) if argument is None else tuple(argument.split(" ", 1))
        if not all(isinstance(part, str) for part in parts):
            raise PickleError("it is damaged")
        path = ".".join(parts)
        if not self._known(path):
            raise PickleError(f"it names {path[:100]}, which is not read")
        self._stack.append(Name(path))

    def call(self, _: None) -> None:
        called, arguments = self._popped(2)
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            raise PickleError("it is damaged")
        ordered = called.path == "collections.OrderedDict" and not arguments
        self._stack.append({} if ordered else Call(called.path, arguments))

    def build(self, _: None) -> None:
        state, made = self.pop(), self._stack[-1]
        if isinstance(made, Call):
            made.state = state
        elif not isinstance(made, dict):  # a dictionary's attributes say nothing of its items
            raise PickleError("it is damaged")

    def elsewhere(self, _: None) -> None:
        self._stack.append(Elsewhere(self.pop()))

    def set_items(self, count: int | None) -> None:
        items = self._above_mark() if count is None else list(self._popped(count))
        into = self._stack[-1]
        if not isinstance(into, dict) or len(items) % 2:
            raise PickleError("it is damaged")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int | float | None):  # of nested tuples the hash may take forever
                raise PickleError(f"it has a dictionary with a key of type {type(key).__name__}, which is not read")
            into[key] = value

    def append(self, count: int | None) -> None:
        items = self._above_mark() if count is None else list(self._popped(count))
        into = self._stack[-1]
        if not isinstance(into, list):
            raise PickleError("it is damaged")
        into.extend(items)

    def mark(self, _: None) -> None:
        self._stack.append(_MARK)


_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "BINPUT": _Machine.keep,
    "LONG_BINPUT": _Machine.keep,
    "MEMOIZE": _Machine.keep,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "TUPLE": _Machine.tuple_of,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.elsewhere,
    "SETITEM": lambda machine, _: machine.set_items(2),
    "SETITEMS": _Machine.set_items,
    "APPEND": lambda machine, _: machine.append(1),
    "APPENDS": _Machine.append,
}
