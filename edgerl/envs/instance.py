"""What an environment is, and what is known not to be one: checked where it comes in."""

import inspect
from typing import Any

from edgerl.envs.environment import AutoReset, Environment
from edgerl.envs.spaces import Box, Discrete
from edgerl.util.errors import UserError

MEMBERS = ("id", "default_params", "reset", "step", "observation_space", "action_space")


def refuse_others(env: Any, where: str) -> None:
    """Raises UserError for what is known not to be an environment, or another library's: with what to do instead."""
    advice = _advice(env)
    if advice:
        name = env.__name__ if isinstance(env, type) else type(env).__name__
        raise UserError(f"{where}: {name} is not an environment of EdgeRL: {advice}")


def checked(env: Any, where: str) -> Environment:
    """The environment itself.

    Args:
      where: the function that was called, for the error.
    Raises:
      UserError: it is no environment, or another library's, or resets by itself, or has spaces that are not supported.
    """
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
