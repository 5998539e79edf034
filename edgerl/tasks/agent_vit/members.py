"""Single trainings of a transformer under one choice of patches, to be compared with each other, and what they cost."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs import prng
from edgerl.tasks.agent_vit.agents import online
from edgerl.tasks.agent_vit.agents.online import TrainState, Transition
from edgerl.tasks.agent_vit.env import PatchSelection
from edgerl.tasks.hardware.cost import count_macs
from edgerl.util import memory
from edgerl.util.content import cache_by_content


@dataclasses.dataclass(frozen=True)
class Trial:
    """A training: an environment that says what a step is, an agent that chooses, and a seed.

    Attributes:
      marks: steps after which it is judged, ascending; the last one ends it.
      every: steps between checkpoints, at most.
    """

    name: str
    env: PatchSelection
    agent: Any
    seed: int
    marks: tuple[int, ...]
    every: int

    @property
    def params(self) -> Any:
        """The environment's; an episode is as long as the training."""
        return dataclasses.replace(self.env.default_params, max_steps_in_episode=self.marks[-1])

    def start(self) -> TrainState:
        """Before the first step. Members of one seed begin with the same transformer and see the same batches."""
        key = prng.new_key(np.uint32(self.seed), np.uint32(0))
        return online.start(self.env, self.agent, key, self.params)


def require_memory(member: Trial) -> None:
    """Raises a `UserError` if a training needs more memory than there is: its state before and after a step and as it
    is written, and what the transformer keeps of a batch for its gradient."""
    vit, tokens = member.env.network.config, member.env.patches
    widths = 2 * vit.att_dim + 3 * vit.heads * vit.dim_head + vit.mlp_dim + 2 * vit.heads * tokens
    needed = 3 * memory.size_of(jax.eval_shape(member.start)) + 4 * member.env.batch * tokens * widths * vit.depth
    shown = ", ".join(f"vit.{name} = {value}" for name, value in dataclasses.asdict(vit).items())
    memory.require(f"{shown}, batch_size = {member.env.batch}", needed, "make some of them smaller", jax.devices()[:1])


@cache_by_content(maxsize=32)
def step_macs(env: PatchSelection, agent: Any) -> dict[str, Any]:
    """Multiply-accumulates of one step for the whole batch, read from the programs that run.

    Returns:
      "sizes": of the transformer's training for each of the environment's sizes, backward pass included; "choice": of
      what the agent sees and does at every step; "lesson": of a lesson; "every": steps between lessons, 0 for none.
    """
    params = env.default_params
    running = jax.eval_shape(lambda: online.start(env, agent, prng.new_key(np.uint32(0), np.uint32(0)), params))
    key, at = jax.random.key(0), jnp.int32(0)
    state, known, obs = running.env, running.agent, running.obs
    scores = jax.ShapeDtypeStruct((env.batch, env.patches), jnp.float32)
    sizes = [count_macs(lambda s, a, n=size: env.gradients(s, a, n), state, scores) for size in env.sizes]
    choice = count_macs(env.observe, state) + count_macs(lambda k, o: agent.act(key, k, o, at), known, obs)
    lesson = 0
    if agent.every:
        action = jax.eval_shape(lambda k, o: agent.act(key, k, o, at), known, obs)
        _, _, reward, _, _, info = jax.eval_shape(env.step, key, state, action, params)
        one = Transition(state, obs, action, reward, obs, info)
        lesson = count_macs(lambda k, x: agent.learn(key, k, env, x), known, one)
    return {"sizes": sizes, "choice": choice, "lesson": lesson, "every": agent.every}


def steps_macs(cost: dict[str, Any], sizes: np.ndarray) -> float:
    """Of a training's first steps, whose indices into the sizes are given."""
    lessons = len(sizes) // cost["every"] if cost["every"] else 0
    steps = np.asarray(cost["sizes"], np.float64)[sizes.astype(int)]
    return float(steps.sum() + cost["choice"] * len(sizes) + cost["lesson"] * lessons)
