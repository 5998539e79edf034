"""Agents that score items while one long episode runs, and the loop that they learn in.

PPO collects episodes of many environments. Here there is one environment whose episode is itself a training, too dear
to be played twice: the agent acts at every step, and every so many steps it has a lesson.
"""

from typing import Any, Protocol

import chex
import jax
import jax.numpy as jnp
from flax import struct

from edgerl.envs.environment import Environment, Info, Params, State
from edgerl.util.content import jit_by_content

AgentState = Any  # a pytree of arrays
METRICS = ("loss", "reward", "correct", "patches", "size", "exploration")


@struct.dataclass
class Transition:
    """One step of the environment."""

    state: State  # before the step
    obs: chex.Array
    action: chex.Array
    reward: chex.Array
    next_obs: chex.Array
    info: Info


class ScoringAgent(Protocol):
    """Scores in, items chosen: the action is one score for each item. Hashable and pure.

    `every`: steps between two lessons; 0: it does not learn.
    """

    @property
    def every(self) -> int: ...

    def init(self, key: chex.PRNGKey, env: Environment, obs: chex.Array) -> AgentState:
        """What the agent knows before it has seen anything but the first observation."""
        ...

    def act(self, key: chex.PRNGKey, state: AgentState, obs: chex.Array, time: chex.Array) -> chex.Array:
        """Scores to act by at step `time`, with as much chance as the agent needs to learn."""
        ...

    def greedy(self, key: chex.PRNGKey, state: AgentState, obs: chex.Array) -> chex.Array:
        """The scores that it thinks best. It may be given more images than a step has.

        The key, another one for every batch, is for an agent whose choice is chance itself.
        """
        ...

    def learn(self, key: chex.PRNGKey, state: AgentState, env: Environment, lesson: Transition) -> AgentState: ...

    def exploration(self, time: chex.Array) -> chex.Array:
        """float32: how much of its actions is chance at step `time`, in the agent's own unit."""
        ...


@struct.dataclass
class TrainState:
    """All that a training needs to go on to the same bits."""

    env: State
    obs: chex.Array
    agent: AgentState
    key: chex.PRNGKey


@jit_by_content("env", "agent")
def start(env: Environment, agent: ScoringAgent, key: chex.PRNGKey, env_params: Params) -> TrainState:
    """Before the first step. The key is consumed."""
    env_key, agent_key, key = jax.random.split(key, 3)
    obs, state = env.reset(env_key, env_params)
    return TrainState(state, obs, agent.init(agent_key, env, obs), key)


def step(
    env: Environment, agent: ScoringAgent, running: TrainState, env_params: Params
) -> tuple[TrainState, dict[str, chex.Array]]:
    """One step of the environment, whose state has a `time`, and where it is due, a lesson."""
    act_key, step_key, learn_key, key = jax.random.split(running.key, 4)
    time = running.env.time
    action = agent.act(act_key, running.agent, running.obs, time)
    obs, state, reward, _, _, info = env.step(step_key, running.env, action, env_params)
    known = running.agent
    if agent.every:
        lesson = Transition(running.env, running.obs, action, reward, obs, info)
        due = time % agent.every == agent.every - 1
        known = jax.lax.cond(due, lambda k: agent.learn(learn_key, k, env, lesson), lambda k: k, known)
    seen = {"reward": reward, "exploration": agent.exploration(time), **info}
    metrics = {name: jnp.asarray(seen[name], jnp.float32) for name in METRICS}
    return TrainState(state, obs, known, key), metrics


@jit_by_content("env", "agent", "length")
def update(
    env: Environment, agent: ScoringAgent, running: TrainState, env_params: Params, count: chex.Array, length: int
) -> tuple[TrainState, dict[str, chex.Array]]:
    """`count` steps, at most `length`; metrics [length]. `count` is data: a shorter last chunk changes no bit."""

    def body(
        i: chex.Array, carry: tuple[TrainState, dict[str, chex.Array]]
    ) -> tuple[TrainState, dict[str, chex.Array]]:
        running, metrics = step(env, agent, carry[0], env_params)
        return running, jax.tree.map(lambda rows, row: rows.at[i].set(row), carry[1], metrics)

    empty = {name: jnp.zeros(length, jnp.float32) for name in METRICS}
    return jax.lax.fori_loop(0, count, body, (running, empty))
