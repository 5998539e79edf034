"""Environments of this package as Gymnasium's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgerl.envs.entry import environment_of, whole_number
from edgerl.envs.environment import Environment, Params
from edgerl.envs.forms import environment_forms
from edgerl.util.errors import UserError

if TYPE_CHECKING:
    import gymnasium


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
      num_envs: environments of the vector environment; None: a single one.
      params: the environment's default parameters unless given, the same for each of `num_envs`.
    Raises:
      UserError: not an environment, or one that breaks the contract; `num_envs` is below 1; Gymnasium is not installed;
        while stepping, an action of another shape, NaN, or outside of a `Discrete` space; on reset, a process that was
        forked after JAX had run.

    Example:
      >>> env = edgerl.to_gymnasium("CartPole-v1", num_envs=3)
      >>> obs, info = env.reset(seed=0)
      >>> obs, reward, terminated, truncated, info = env.step(np.array([0, 1, 0]))
      >>> reward
      array([1., 1., 1.], dtype=float32)
    """
    env = environment_of(env, "to_gymnasium")
    environment_forms("to_gymnasium", env, env.default_params if params is None else params)
    try:
        from edgerl.envs.adapters.gymnasium_envs import ManyEnv, SingleEnv
    except ImportError as error:
        raise UserError("to_gymnasium: Gymnasium is not installed: pip install gymnasium, or edgerl[dev]") from error
    return (
        SingleEnv(env, params)
        if num_envs is None
        else ManyEnv(env, whole_number("to_gymnasium", "num_envs", num_envs), params)
    )
