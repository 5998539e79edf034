"""What users hand to the functions of the package, checked where it comes in."""

import inspect
import operator
from typing import Any

import jax
import numpy as np

from edgerl.envs.environment import AutoReset, Environment
from edgerl.envs.registry import make
from edgerl.envs.spaces import Box, Discrete
from edgerl.util.errors import UserError

MEMBERS = ("id", "default_params", "reset", "step", "observation_space", "action_space")


def refuse_others(env: Any, where: str) -> None:
    """Raises UserError for what is known not to be an environment, or another library's: with what to do instead."""
    advice = _advice(env)
    if advice:
        name = env.__name__ if isinstance(env, type) else type(env).__name__
        raise UserError(f"{where}: {name} is not an environment of EdgeRL: {advice}")


def environment_of(env: Any, where: str) -> Environment:
    """The environment that is meant: made, if it is given by its id.

    Args:
      where: the function that was called, for the error.
    Raises:
      UserError: it is no environment, or another library's, or resets by itself, or has spaces that are not supported.
    """
    if isinstance(env, str):
        return make(env)
    refuse_others(env, where)
    missing = [name for name in MEMBERS if not hasattr(env, name)]
    if missing:
        raise UserError(f"{where}: {type(env).__name__} is no environment: it has no {', '.join(missing)}")
    for what in ("action_space", "observation_space"):
        space = getattr(env, what)(env.default_params)
        if not isinstance(space, (Discrete, Box)):
            kind = type(space).__name__
            raise UserError(f"{where}: {env.id}: its {what} is a {kind}; supported: edgerl's Discrete and Box")
    return env


def _advice(env: Any) -> str | None:
    """What to do with something that is known not to be an environment."""
    if isinstance(env, type):
        return f"it is a class; make one: {env.__name__}()"
    if isinstance(env, tuple):
        return "it is a tuple, as gymnax.make returns it; pass edgerl.from_gymnax(env) of its first element"
    if isinstance(env, AutoReset):
        return "it resets by itself; pass the environment in it, its .env"
    if hasattr(env, "step_env") and hasattr(env, "reset_env"):
        return "it is gymnax's, whose step resets by itself; pass edgerl.from_gymnax(env)"
    if hasattr(env, "metadata") and hasattr(env, "unwrapped"):
        return "it is Gymnasium's; only environments written in JAX can be compiled"
    if callable(env) and not hasattr(env, "step"):
        return "it is a function; pass what it returns"
    if inspect.ismethod(getattr(env, "default_params", None)):
        return "its default_params is a method; make it a property or a field"
    return None


def whole_number(where: str, name: str, value: Any) -> int:
    """An integer from 1 to 2³¹ - 1, of Python or NumPy.

    Raises:
      UserError: anything else.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if isinstance(value, bool) or not 1 <= number < 2**31:
        raise UserError(f"{where}: {name} is {value!r}; it must be from 1 to {2**31 - 1}, a whole number")
    return number


def check_key(where: str, key: Any) -> None:
    """Any kind of JAX key, but one only.

    Raises:
      UserError: a number or several keys.
    """
    typed = isinstance(key, jax.Array) and jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)
    raw = isinstance(key, (jax.Array, np.ndarray)) and key.dtype == np.uint32 and key.ndim == 1
    if typed and key.shape:
        raise UserError(f"{where}: key holds {key.size} keys; expected one, such as jax.random.key(0)")
    if not (typed or raw):
        what = repr(key) if isinstance(key, (int, float)) else f"a {type(key).__name__}"
        raise UserError(f"{where}: key is {what}; expected a JAX key, such as jax.random.key(0)")
