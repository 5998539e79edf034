"""Fine-tuning for int8: some more updates of PPO in which a policy sees what the device sees.

The device rounds each observation to one of 256 steps. Where decisions hang on less than a step, the rounded policy may
rest where the float one does not: on MountainCarContinuous-v0 65 of 2,000 episodes ended without the goal, -4.9 instead
of 92. The network's own rounding does not matter there: the float network with rounded observations loses as much.
After four updates with rounded observations all episodes reach the goal.
"""

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.deploy import integer
from edgerl.deploy.calibration import Quantiser, fit_quantiser
from edgerl.envs.environment import Environment, Params, State, Step
from edgerl.envs.policy_file import FloatPolicy
from edgerl.envs.spaces import Box, Space
from edgerl.rl import ppo
from edgerl.rl.config import RunConfig
from edgerl.rl.evaluation import play_episodes
from edgerl.tasks.generic import calibration

_RATE = 1 / 3  # of the training's step size: the policy is good already


@dataclasses.dataclass(frozen=True, eq=False)
class Rounded:
    """An environment whose observations are rounded as a quantiser rounds them; all else is its own."""

    env: Environment
    quantiser: Quantiser

    @property
    def id(self) -> str:
        """The environment's own."""
        return self.env.id

    @property
    def default_params(self) -> Params:
        """The environment's own."""
        return self.env.default_params

    def observation_space(self, params: Params | None = None) -> Space:
        """The environment's own."""
        return self.env.observation_space(params)

    def action_space(self, params: Params | None = None) -> Space | Box:
        """The environment's own."""
        return self.env.action_space(params)

    def reset(self, key: chex.PRNGKey, params: Params | None = None) -> tuple[chex.Array, State]:
        """The environment's own, the observation rounded."""
        obs, state = self.env.reset(key, params)
        return self._rounded(obs), state

    def step(self, key: chex.PRNGKey, state: State, action: chex.Array, params: Params | None = None) -> Step:
        """The environment's own, the observation rounded."""
        obs, *others = self.env.step(key, state, action, params)
        return self._rounded(obs), *others  # type: ignore[return-value]

    def _rounded(self, obs: chex.Array) -> chex.Array:
        q = integer.quantise(obs, jnp.asarray(self.quantiser.gain), jnp.asarray(self.quantiser.offset))
        return (q.astype(jnp.float32) - self.quantiser.offset) * jnp.asarray(self.quantiser.step, jnp.float32)


def finetune(
    env: Environment, config: RunConfig, state: ppo.TrainState, policy: FloatPolicy, key: chex.PRNGKey
) -> tuple[FloatPolicy, dict[str, Any]]:
    """The policy after `config.finetune_updates` more updates, if it then earns more on rounded observations.

    Args:
      state: the end of the training that gave the policy.
      key: consumed.
    Returns:
      The better one of both, and what `result.json` says: updates, mean returns before and after, on rounded
      observations of the same `evaluation_envs` episodes, and whether the new one is kept.
    """
    see_key, learn_key, play_key = jax.random.split(key, 3)
    seen = calibration.visited(env, policy, see_key, config.evaluation_steps)
    rounded = Rounded(env, fit_quantiser(seen[:, : policy.sizes[0]]))
    rate = float(config.ppo.learning_rate) * _RATE
    settings = dataclasses.replace(config.ppo, num_updates=config.finetune_updates, learning_rate=rate)

    @jax.jit
    def learn(params: Any, statistics: Any) -> FloatPolicy:
        begin = ppo.init(rounded, settings, learn_key)
        begin = dataclasses.replace(begin, params=params, statistics=statistics)
        step = lambda state, _: (ppo.update(rounded, settings, state)[0], None)  # noqa: E731
        return ppo.greedy_policy(env, settings, jax.lax.scan(step, begin, None, settings.num_updates)[0])

    @jax.jit
    def earned(policy: FloatPolicy) -> chex.Array:
        params = env.default_params
        return play_episodes(
            rounded, policy, play_key, params, config.evaluation_envs, config.evaluation_steps
        ).returns.mean()

    tuned = jax.tree.map(np.asarray, learn(state.params, state.statistics))
    returns = [float(earned(one)) for one in (policy, tuned)]
    better = returns[1] > returns[0]
    found = {"updates": config.finetune_updates, "before": returns[0], "after": returns[1], "kept": better}
    return tuned if better else policy, {"finetuning": found}
