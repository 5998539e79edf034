"""What `from_gymnax` refuses, each in one line that says why, and what it warns of."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from edgerl.envs.adapters import gymnax_bare, gymnax_calls
from edgerl.envs.environment import AutoReset
from edgerl.envs.spaces import Box
from edgerl.util.errors import UserError

OLD = "written for gymnax before 1.0"
MEMBERS = ("reset", "step", "observation_space", "action_space", "default_params")


def instance(env: Any) -> Any:
    """The gymnax environment that is meant, by itself or by its name.

    Raises:
      UserError: something that is no environment of gymnax.
    """
    if isinstance(env, str):
        return _made(env)
    name = type(env).__name__
    if isinstance(env, (tuple, list)):
        raise UserError(f"from_gymnax: a {name} of {len(env)}; of what gymnax.make returns pass the first, env, alone")
    if isinstance(env, type):
        raise UserError(f"from_gymnax: {env.__name__} is a class; pass an environment, {env.__name__}(...)")
    if {kind.__module__.split(".")[0] for kind in type(env).__mro__} & {"gymnasium", "gym"}:
        raise UserError(f"from_gymnax: {name} is an environment of Gymnasium, in Python; pass gymnax's own, unwrapped")
    if isinstance(env, AutoReset):
        raise UserError("from_gymnax: AutoReset holds an environment of EdgeRL's own; use its .env as it is")
    with named(env):
        _require_gymnax(env)
    return env


@contextlib.contextmanager
def named(env: Any) -> Iterator[None]:
    """Refusals within begin with the environment's name."""
    try:
        yield
    except UserError as error:
        raise UserError(f"from_gymnax: {type(env).__name__}: {error}") from error


def _made(name: str) -> Any:
    try:
        import gymnax
    except ImportError as error:
        raise UserError("from_gymnax: gymnax is not installed: pip install gymnax, or edgerl[dev]") from error
    known = [str(x) for x in gymnax.registered_envs]
    name = name.removeprefix("gymnax:")
    if name not in known:
        raise UserError(f"from_gymnax: gymnax has no environment '{name}'; it has {', '.join(known)}")
    try:
        return gymnax.make(name)[0]
    except Exception as error:  # one downloads its data
        raise UserError(f"from_gymnax: gymnax cannot make '{name}' ({type(error).__name__}: {error})") from error


def _require_gymnax(env: Any) -> None:
    own = [name for name in gymnax_bare.CORE if hasattr(type(env), name)]
    if "step_env" in own and "is_truncated" not in own and not gymnax_bare.held(env):
        raise UserError(f"{OLD}: it has no is_truncated, which in gymnax 1.x tells a time limit from a terminal state")
    if gymnax_bare.innermost(env) is None:
        missing = [name for name in gymnax_bare.CORE if not hasattr(env, name)]
        if hasattr(env, "id") and all(hasattr(env, member) for member in MEMBERS):
            raise UserError(f"it has no {', '.join(missing)}; an environment of EdgeRL's own is used as it is")
        raise UserError(f"it has no {', '.join(missing)}; from_gymnax takes a gymnax 1.x environment")
    overridden = [name for name in gymnax_bare.CORE if hasattr(type(env), name)]
    if not gymnax_bare.is_core(env) and overridden and not hasattr(type(env), "step"):
        what = ", ".join(overridden)
        raise UserError(f"a wrapper's {what} is never called: gymnax calls its step; let it have one of its own")


def check(adapted: Any) -> None:
    """Parameters, spaces, and the forms of all that `reset` and `step` return, by tracing each once.

    Raises:
      UserError: the first that does not fit.
    """
    running = adapted.running
    missing = [name for name in MEMBERS if not hasattr(running, name)]
    if missing:
        raise UserError(f"it has no {', '.join(missing)}; from_gymnax takes a gymnax 1.x environment")
    with _guard("default_params"):
        params = running.default_params
    if inspect.isroutine(params):
        raise UserError("its default_params is a method; write @property above it, as gymnax does")
    with _guard("observation_space"):
        observations = adapted.observation_space(params)
    with _guard("action_space"):
        actions = adapted.action_space(params)
    key = jax.eval_shape(lambda: jax.random.key(0))
    with _guard("reset"):
        first = jax.eval_shape(running.reset, key, params)
    _check_reset(first, observations)
    state = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), first[1])
    action = jax.ShapeDtypeStruct(actions.shape, np.float32 if isinstance(actions, Box) else np.int32)
    with _guard("step"):
        traced, result = jax.make_jaxpr(running.step, return_shape=True)(key, state, action, params)
    _check_step(result, observations)
    _check_calls(running, traced.jaxpr)
    _check_state(state, result[1])


@contextlib.contextmanager
def _guard(what: str) -> Iterator[None]:
    """A block that runs the environment's own code: what it raises becomes one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        old = f"; {OLD}?" if "values to unpack" in reason else ""
        raise UserError(f"its {what} fails ({type(error).__name__}: {reason}){old}") from error


def _check_reset(first: Any, observations: Any) -> None:
    if not isinstance(first, tuple) or len(first) != 2:
        raise UserError(f"its reset returns {_count(first)}, not (observation, state); pass the environment inside")
    _check_observation("reset", first[0], observations)


def _check_step(result: Any, observations: Any) -> None:
    if not isinstance(result, tuple) or len(result) != 6:
        old = f", {OLD}" if isinstance(result, tuple) and len(result) in (4, 5) else ""
        right = "(observation, state, reward, terminated, truncated, info)"
        raise UserError(f"its step returns {_count(result)}, not {right}{old}")
    _check_observation("step", result[0], observations)
    for what, x in zip(("reward", "terminated", "truncated"), result[2:5], strict=True):
        if not hasattr(x, "shape") or x.size != 1:
            raise UserError(f"its {what} is {_form(x)}; a scalar is right")
    if not isinstance(result[5], dict):
        raise UserError(f"its info is a {type(result[5]).__name__}; a dict is right")


def _check_observation(where: str, obs: Any, space: Any) -> None:
    right = f"float32{list(space.shape)} by its observation_space"
    if not hasattr(obs, "shape"):
        raise UserError(f"{where}'s observation is a {type(obs).__name__}; right is one array, {right}")
    if tuple(obs.shape) != tuple(space.shape):
        raise UserError(f"{where}'s observation is {_form(obs)}; right is {right}")


def _check_calls(running: Any, jaxpr: Any) -> None:
    """What a wrapper's step calls, read from its trace: the step of the environment that it holds, once; no reset."""
    if gymnax_calls.calls(jaxpr, gymnax_calls.RESET):
        raise UserError("its step resets by itself; let it leave that to the step of the environment that it wraps")
    if gymnax_bare.is_core(running):
        return
    steps = gymnax_calls.calls(jaxpr, gymnax_calls.STEP, _depth(running))
    if steps == 0:
        raise UserError("its step does not call the step of the environment that it holds as an attribute")
    if steps > 1:
        raise UserError("its step steps the environment more than once, across the ends of episodes; step it once")


def _depth(running: Any) -> int:
    """How many wrappers are around the first environment."""
    depth = 0
    while not gymnax_bare.is_core(running):
        running, depth = next(iter(gymnax_bare.held(running).values())), depth + 1
    return depth


def _check_state(before: Any, after: Any) -> None:
    """One form from `reset` and `step`; numbers of one kind may differ in their precision."""
    forms = [{jax.tree_util.keystr(k): x for k, x in jax.tree.leaves_with_path(state)} for state in (before, after)]
    for name in forms[0] | forms[1]:
        a, b = (form.get(name) for form in forms)
        if a is None or b is None or a.shape != b.shape or not _fits(b.dtype, a.dtype):
            what = [_form(x) if x is not None else "missing" for x in (a, b)]
            raise UserError(f"state{name} is {what[0]} from reset and {what[1]} from step; one form from both is right")


def _fits(dtype: Any, other: Any) -> bool:
    if dtype == other:  # random keys too
        return True
    return all(isinstance(x, np.dtype) for x in (dtype, other)) and np.can_cast(dtype, other, "same_kind")


def _form(x: Any) -> str:
    return f"{x.dtype}{list(x.shape)}" if hasattr(x, "dtype") else type(x).__name__


def _count(result: Any) -> str:
    return f"{len(result)} values" if isinstance(result, tuple) else f"a {type(result).__name__}"
