"""What an object consists of, number by number: by it, and not by `==`, compiled programs are kept.

An environment's own `==` says what its author calls equal. A compiled program has read more than that: default
parameters that are left out of the comparison, 1 where another environment has 1.0, an attribute that was assigned to
since. Whatever a trace may have read is part of an object's content, so that no program serves another environment.
"""

import dataclasses
import enum
import functools
import inspect
import types
import weakref
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, TypeVar

import jax
import numpy as np

Content = Any  # nested tuples of hashable values, equal only for objects that no program can tell apart

_PLAIN = (type(None), bool, int, str, bytes)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def content_of(x: Any) -> Content:
    """The content of an object: its type, its attributes, those that `==` leaves out included, and their contents.

    Arrays count by type, shape and bytes, numbers by type and bits (so 1, 1.0 and True differ, and 0.0 and -0.0).
    Functions count by identity and by what they have caught from around them, anything that cannot be looked into by
    identity. Attributes of a class that are plain data count, too. Values of a module's global variables do not.
    """
    return _content(x, {})


def _content(x: Any, seen: dict[int, int]) -> Content:
    kind = type(x)
    if kind in _PLAIN:
        return kind, x
    if kind in (float, complex):
        return kind, repr(x)  # which tells -0.0 from 0.0, and has all digits
    if isinstance(x, (jax.Array, np.ndarray, np.generic)):
        return _of_array(x)
    if isinstance(x, (type, types.ModuleType, types.BuiltinFunctionType, np.dtype, enum.Enum)):
        return (_Same(x),)
    if isinstance(x, jax.sharding.Mesh):
        return kind, x  # JAX's own comparison tells all
    if id(x) in seen:  # an object that holds itself
        return kind, seen[id(x)]
    seen = {**seen, id(x): len(seen)}
    inner = functools.partial(_content, seen=seen)
    if isinstance(x, dict):
        return kind, tuple((inner(key), inner(value)) for key, value in x.items()), _attributes(x, inner)
    if isinstance(x, (list, tuple)):
        return kind, tuple(map(inner, x)), _attributes(x, inner)
    if isinstance(x, (set, frozenset)):
        return kind, frozenset(map(inner, x))
    if isinstance(x, types.MethodType):
        return kind, inner(x.__func__), inner(x.__self__)
    if isinstance(x, types.FunctionType):
        return _Same(x), inner(x.__defaults__), inner(x.__kwdefaults__), tuple(map(_cell(inner), x.__closure__ or ()))
    if isinstance(x, functools.partial):
        return kind, inner(x.func), inner(x.args), inner(x.keywords)
    own = _attributes(x, inner)
    return (kind, own) if own or dataclasses.is_dataclass(x) else (kind, _Same(x))


class _Same:
    """Equal for one and the same object, which it keeps alive, so that no other one gets its place in memory."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.x is other.x

    def __hash__(self) -> int:
        return id(self.x)


def _cell(inner: Callable[[Any], Content]) -> Callable[[types.CellType], Content]:
    def content(cell: types.CellType) -> Content:
        try:
            return inner(cell.cell_contents)
        except ValueError:  # a name that is not assigned yet
            return None

    return content


def _attributes(x: Any, inner: Callable[[Any], Content]) -> Content:
    """Names and contents of an object's attributes, its fields, its slots and its classes' plain data."""
    kept = _names_of(_Same(type(x)))
    found = {} if kept.only_fields else {**getattr(x, "__dict__", {})}
    for name in kept.computed:
        found.pop(name, None)
    for name in kept.read:
        if name not in found and (value := getattr(x, name, _MISSING)) is not _MISSING:
            found[name] = value
    return tuple([(name, inner(found[name])) for name in sorted(found)])


_MISSING = object()


@dataclasses.dataclass(frozen=True)
class _Names:
    """Where a type's objects keep what they are, beside their `__dict__`."""

    read: tuple[str, ...]  # fields, slots, and the plain data of its classes
    computed: frozenset[str]  # of cached properties, which follow from the others
    only_fields: bool  # a Flax module's other attributes are its bookkeeping, another one in each copy


@functools.lru_cache(maxsize=1024)
def _names_of(of: "_Same") -> _Names:
    import flax.linen

    kind = of.x
    classes = [k for k in kind.__mro__ if k.__module__ != "builtins"]
    fields = [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    slots = [name for k in classes for name in _slots(k)]
    data = [name for k in classes for name, value in vars(k).items() if _is_data(name, value)]
    computed = {n for k in classes for n, value in vars(k).items() if isinstance(value, functools.cached_property)}
    if issubclass(kind, flax.linen.Module):
        return _Names(tuple(fields), frozenset(), True)
    return _Names(tuple(dict.fromkeys([*fields, *slots, *data])), frozenset(computed), False)


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(s for s in slots if s not in ("__dict__", "__weakref__"))


def _is_data(name: str, value: Any) -> bool:
    """Whether an entry of a class is a value, and neither code nor Python's own."""
    return not (name.startswith(("__", "_abc_")) or callable(value) or hasattr(type(value), "__get__"))


_DIGESTS: dict[int, tuple[weakref.ref[Any], Content]] = {}  # of JAX's arrays, which cannot change


def _of_array(x: Any) -> Content:
    if isinstance(x, jax.core.Tracer):
        return (_Same(x),)
    if not isinstance(x, jax.Array):
        return _digest(x, "numpy")
    known = _DIGESTS.get(id(x))
    if known is not None and known[0]() is x:
        return known[1]
    if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
        digest = _digest(np.asarray(jax.random.key_data(x)), str(x.dtype))
    else:
        digest = _digest(np.asarray(x), "weak" if x.weak_type else "strong")
    place = id(x)
    _DIGESTS[place] = weakref.ref(x, lambda _: _DIGESTS.pop(place, None)), digest
    return digest


def _digest(x: Any, kind: str) -> Content:
    x = np.asarray(x)
    if x.dtype == object:
        return kind, x.shape, tuple(map(content_of, x.ravel().tolist()))
    data = np.ascontiguousarray(x).tobytes()
    return kind, x.dtype.str, x.shape, data if len(data) <= 64 else blake2b(data, digest_size=32).digest()


class Keyed:
    """An object by its content: hashable, and equal to another one only if no program can tell the two apart.

    Attributes:
      value: the object.
    """

    __slots__ = ("_content", "_hash", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self._content = content_of(value)
        self._hash = hash(self._content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyed) and self._hash == other._hash and self._content == other._content

    def __hash__(self) -> int:
        return self._hash


class ByContent:
    """For environments, agents and spaces of this package: `==` and `hash` by content."""

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and Keyed(self) == Keyed(other))

    def __hash__(self) -> int:
        return hash(Keyed(self))


def jit_by_content(
    *static: str, compiler_options: Callable[[], dict[str, Any] | None] = lambda: None, **options: Any
) -> Callable[[_Function], _Function]:
    """`jax.jit` whose static arguments are told apart by content.

    Args:
      static: names of the static arguments, which need not be hashable.
      compiler_options: asked at each call; a program of its own is compiled for each answer.
      options: of `jax.jit`.
    """

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        names = tuple(signature.parameters)

        def positional(*arguments: Any) -> Any:
            return function(*(x.value if isinstance(x, Keyed) else x for x in arguments))

        positional.__name__ = function.__name__  # by which compiled programs are reported and kept on disk
        numbers = tuple(map(names.index, static))

        @cache_by_content()
        def program(chosen: dict[str, Any] | None) -> Any:
            return jax.jit(positional, static_argnums=numbers, compiler_options=chosen, **options)

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            bound = signature.bind(*arguments, **named)
            bound.apply_defaults()
            return program(compiler_options())(
                *(Keyed(x) if name in static else x for name, x in bound.arguments.items())
            )

        call._cache_size = lambda: program(compiler_options())._cache_size()  # type: ignore
        return call  # type: ignore[return-value]

    return decorate


def cache_by_content(maxsize: int = 64) -> Callable[[_Function], _Function]:
    """`functools.lru_cache` whose arguments are told apart by content and need not be hashable."""

    def decorate(function: _Function) -> _Function:
        kept = functools.lru_cache(maxsize)(lambda *keys: function(*(key.value for key in keys)))

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            return kept(*map(Keyed, arguments))

        call.cache_clear, call.cache_info = kept.cache_clear, kept.cache_info  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate
