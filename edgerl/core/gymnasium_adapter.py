"""Environments of this package as Gymnasium's."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from edgerl.core.environment import Environment, Params
from edgerl.core.errors import UserError
from edgerl.core.registry import make

if TYPE_CHECKING:
    import gymnasium

_MEMBERS = ("id", "default_params", "reset", "step", "observation_space", "action_space")


def to_gymnasium(
    env: Environment | str, num_envs: int | None = None, params: Params | None = None
) -> gymnasium.Env | gymnasium.vector.VectorEnv:
    """The environment as a `gymnasium.Env` or, with `num_envs`, as a `gymnasium.vector.VectorEnv`. NumPy in and out.

    `reset(seed=…)` decides everything that follows: the same seed and actions, the same episodes; so it does in a copy
    or a pickle, also of the middle of an episode. The vector environment steps all its environments in one compiled
    call and resets those that ended on the same step (`AutoresetMode.SAME_STEP`): their last observations are in
    `info["final_obs"]`. Actions are taken as Gymnasium's own environments take them: any real type, also beyond the
    bounds of a `Box`. `spec.max_episode_steps` is the parameters' `max_steps_in_episode`.

    Args:
      env: the environment, or its id.
      params: the environment's default parameters unless given, the same for each of `num_envs`.
    Raises:
      UserError: not an environment, `num_envs` is below 1, or Gymnasium is not installed; while stepping, an action of
        another shape, NaN, or outside of a `Discrete` space; on reset, a process that was forked after JAX had run.
    """
    env = make(env) if isinstance(env, str) else env
    _require_environment(env)
    try:
        from edgerl.core.gymnasium_envs import ManyEnv, SingleEnv
    except ImportError as error:
        raise UserError("to_gymnasium: Gymnasium is not installed: pip install gymnasium, or edgerl[dev]") from error
    return SingleEnv(env, params) if num_envs is None else ManyEnv(env, _count(num_envs), params)


def _require_environment(env: Any) -> None:
    name = type(env).__name__
    if isinstance(env, type):
        raise UserError(f"to_gymnasium: {env.__name__} is a class; pass an environment, {env.__name__}(...)")
    if {kind.__module__.split(".")[0] for kind in type(env).__mro__} & {"gymnasium", "gym"}:
        raise UserError(f"to_gymnasium: {name} is an environment of Gymnasium already; use it as it is")
    if any(hasattr(env, hook) for hook in ("step_env", "reset_env")):
        raise UserError(f"to_gymnasium: {name} is an environment of gymnax; pass edgerl.from_gymnax of it")
    missing = [member for member in _MEMBERS if not hasattr(env, member)]
    if missing:
        raise UserError(
            f"to_gymnasium: {name} has no {', '.join(missing)}; it takes an environment of EdgeRL's or its id"
        )


def _count(num_envs: Any) -> int:
    wrong = f"to_gymnasium: num_envs is {num_envs!r}; it must be a whole number of at least 1, or None for one"
    if isinstance(num_envs, bool):
        raise UserError(wrong)
    try:
        count = operator.index(num_envs)
    except TypeError as error:
        raise UserError(wrong) from error
    if count < 1:
        raise UserError(wrong)
    return count
