"""Environments of this package as Gymnasium's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgerl.core.environment import Environment, Params
from edgerl.core.errors import UserError

if TYPE_CHECKING:
    import gymnasium


def to_gymnasium(
    env: Environment, num_envs: int | None = None, params: Params | None = None
) -> gymnasium.Env | gymnasium.vector.VectorEnv:
    """The environment as a `gymnasium.Env` or, with `num_envs`, as a `gymnasium.vector.VectorEnv`. NumPy in and out.

    `reset(seed=…)` decides everything that follows: the same seed and actions, the same episodes. The vector
    environment steps all its environments in one compiled call and resets those that ended on the same step
    (`AutoresetMode.SAME_STEP`): their last observations are in `info["final_obs"]`.

    Args:
      params: the environment's default parameters unless given, the same for each of `num_envs`.
    Raises:
      UserError: `num_envs` is below 1, or Gymnasium is not installed.
    """
    try:
        from edgerl.core.gymnasium_envs import ManyEnv, SingleEnv
    except ImportError as error:
        raise UserError("to_gymnasium: Gymnasium is not installed: pip install gymnasium, or edgerl[dev]") from error
    if num_envs is None:
        return SingleEnv(env, params)
    if num_envs < 1:
        raise UserError(f"to_gymnasium: num_envs is {num_envs}; it must be at least 1, or None for one")
    return ManyEnv(env, num_envs, params)
