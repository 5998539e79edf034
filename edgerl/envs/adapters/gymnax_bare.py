"""Copies of gymnax environments and of their wrappers whose `step` does not reset.

gymnax's `step` starts the next episode by itself, deep inside of all wrappers. Here a wrapper's own `step` runs around
an environment in which only this is taken out, so that what a wrapper does to an episode's last step is not lost.
"""

import copy
import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from edgerl.envs.adapters.gymnax_calls import RESET, STEP, counted
from edgerl.envs.environment import AutoReset
from edgerl.util.errors import UserError

CORE = ("step_env", "reset_env", "is_truncated")


def is_core(env: Any) -> bool:
    """Whether this is an environment and no wrapper: gymnax's hooks are its class's own, not found in what it holds."""
    return isinstance(env, AutoReset) or all(hasattr(type(env), name) for name in CORE)


def held(env: Any) -> dict[str, Any]:
    """The environments, wrapped or not, among an object's attributes, by attribute."""
    return {name: value for name, value in _attributes(env).items() if innermost(value) is not None}


def innermost(env: Any, depth: int = 0) -> Any:
    """The environment inside of all wrappers; None where there is none."""
    if is_core(env) and not isinstance(env, type):
        return env
    if isinstance(env, type) or depth > 32 or not all(callable(getattr(env, name, None)) for name in ("reset", "step")):
        return None
    inside = (innermost(value, depth + 1) for value in _attributes(env).values())
    return next((x for x in inside if x is not None), None)


def bare(env: Any, depth: int = 0) -> Any:
    """A copy whose `step` does not reset, and that later changes of the attributes of `env` do not reach.

    The copy is equal to itself alone: JAX, which keeps compiled methods by their object, cannot mistake it. Where
    `depth` is above 0, the copy is held by a wrapper, and its `step` and `reset` can be counted in a trace.
    """
    if isinstance(env, AutoReset):
        return _Told(env.env, depth)
    inner = {name: bare(value, depth + 1) for name, value in held(env).items()}
    own = {name: _copied(value) for name, value in _attributes(env).items()}
    kind = _core(type(env), depth) if is_core(env) else _wrapper(type(env))
    new: Any = object.__new__(kind)
    new.__dict__.update(own | inner)
    return new


@dataclasses.dataclass(frozen=True)
class Parts:
    """What an environment or a wrapper is made of, in a form that can be pickled: gymnax's wrappers cannot."""

    kind: type
    attributes: dict[str, Any]


def parts(running: Any) -> Any:
    """The parts of a copy that `bare` made."""
    if isinstance(running, _Told):
        return Parts(AutoReset, {"env": running.env})
    inner = held(running)
    return Parts(type(running).__mro__[1], {k: parts(x) if k in inner else x for k, x in vars(running).items()})


def whole(taken: Parts) -> Any:
    """The environment or the wrapper that the parts were taken of, which resets as gymnax has it."""
    new: Any = object.__new__(taken.kind)
    for name, value in taken.attributes.items():
        object.__setattr__(new, name, whole(value) if isinstance(value, Parts) else value)
    return new


def alike(a: Any, b: Any) -> bool:
    """Whether two such copies hold the same objects and equal numbers, so that they behave alike."""
    if type(a).__mro__[1:] != type(b).__mro__[1:] and not isinstance(a, _Told):
        return False
    if isinstance(a, _Told) or isinstance(b, _Told):
        return isinstance(a, _Told) and isinstance(b, _Told) and a.env == b.env
    one, other = vars(a), vars(b)
    return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)


def _equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if innermost(a) is not None and innermost(b) is not None:
        return alike(a, b)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    try:
        return type(a) is type(b) and isinstance(a, (int, float, str, bytes, *_MUTABLE)) and bool(a == b)
    except ValueError:  # arrays in a list
        return False


_MUTABLE = (list, dict, set, bytearray, np.ndarray)


def _copied(value: Any) -> Any:
    return copy.deepcopy(value) if isinstance(value, _MUTABLE) else value


def _attributes(env: Any) -> dict[str, Any]:
    """All attributes of an instance, those in `__slots__` too."""
    slots = (name for kind in type(env).__mro__ for name in _names(vars(kind).get("__slots__", ())))
    return {name: getattr(env, name) for name in slots if hasattr(env, name)} | getattr(env, "__dict__", {})


def _names(slots: Any) -> Iterator[str]:
    yield from (slots,) if isinstance(slots, str) else (name for name in slots if not name.startswith("__"))


def _wrapper(kind: type) -> type:
    """The class, but equal by identity."""

    class Wrapper(kind):  # type: ignore[misc, valid-type]
        __eq__ = object.__eq__
        __hash__ = object.__hash__

    return _named(Wrapper, kind)


def _core(kind: type, depth: int) -> type:
    """The class, but without reset in `step`, however it comes by it, and equal by identity."""

    class Core(kind, *_without_reset(kind)):  # type: ignore[misc]
        __eq__ = object.__eq__
        __hash__ = object.__hash__

        def reset(self, key: Any, params: Any = None) -> Any:
            return counted(super().reset, RESET, depth)(key, params)

        def step(self, key: Any, state: Any, action: Any, params: Any = None) -> Any:
            def call(*arguments: Any) -> Any:
                self.__dict__["_stepped"] = []
                try:
                    return super(Core, self).step(*arguments)
                finally:
                    self.__dict__.pop("_stepped", None)

            return counted(call, STEP, depth)(key, state, action, params)

        def step_env(self, *arguments: Any, **named: Any) -> Any:
            """The environment's own. What it returned last is kept while `step` runs."""
            outer = self.__dict__.pop("_stepped", None)
            result = super().step_env(*arguments, **named)
            if not isinstance(result, tuple) or len(result) != 5:
                raise UserError(f"its step_env returns {_count(result)}, not (obs, state, reward, terminated, info)")
            if outer is not None:
                self.__dict__["_stepped"] = [result[:2]]
            return result

        def reset_env(self, *arguments: Any, **named: Any) -> Any:
            """The environment's own; where `step` would start the next episode, the end of this one instead."""
            stepped = self.__dict__.get("_stepped")
            if stepped is None:
                return super().reset_env(*arguments, **named)
            if not stepped:
                raise UserError("its step resets before it steps: let it leave that to gymnax's own step")
            return stepped[0]

    return _named(Core, kind)


def _named(kind: type, origin: type) -> type:
    kind.__name__, kind.__qualname__, kind.__module__ = origin.__name__, origin.__qualname__, origin.__module__
    return kind


def _count(result: Any) -> str:
    return f"{len(result)} values" if isinstance(result, tuple) else f"a {type(result).__name__}"


def _without_reset(kind: type) -> tuple[type, ...]:
    """The base that stands before gymnax's own, or for it where the class inherits from nothing of gymnax."""
    base = _gymnax_base()
    if base is not None and issubclass(kind, base):
        return (_before(base),)
    return () if hasattr(kind, "step") else (_before(object),)


def _gymnax_base() -> Any:
    try:
        from gymnax.environments.environment import Environment
    except ImportError:
        return None
    return Environment


@functools.cache
def _before(base: type) -> type:
    class WithoutReset(base):  # type: ignore[misc, valid-type]
        """gymnax's `reset` and `step`, but for the start of the next episode."""

        def reset(self: Any, key: Any, params: Any = None) -> Any:
            return self.reset_env(key, self.default_params if params is None else params)

        def step(self: Any, key: Any, state: Any, action: Any, params: Any = None) -> Any:
            params = self.default_params if params is None else params
            obs, state, reward, terminated, info = self.step_env(key, state, action, params)
            truncated = self.is_truncated(state, params)
            return obs, state, reward, terminated, truncated, _told(info, terminated, truncated, obs)

    return WithoutReset


class _Told(AutoReset):
    """An environment of this package with what gymnax's `step` tells, but without its reset."""

    def __init__(self, env: Any, depth: int) -> None:
        super().__init__(env)
        object.__setattr__(self, "depth", depth)

    def reset(self, key: Any, params: Any = None) -> Any:
        return counted(self.env.reset, RESET, self.depth)(key, params)  # type: ignore[attr-defined]

    def step(self, key: Any, state: Any, action: Any, params: Any = None) -> Any:
        step = counted(self.env.step, STEP, self.depth)  # type: ignore[attr-defined]
        obs, state, reward, terminated, truncated, info = step(key, state, action, params)
        return obs, state, reward, terminated, truncated, _told(info, terminated, truncated, obs)


def _told(info: Any, terminated: Any, truncated: Any, obs: Any) -> dict[str, Any]:
    return {**info, "terminated": terminated, "truncated": truncated, "final_observation": obs}
