"""Single trainings of a transformer under one choice of patches, to be compared with each other.

A member's folder: checkpoints/ of everything, log.csv with every step, curve.json with its judgements so far. Killed
and started again, it goes on to the same bits.
"""

import csv
import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs import prng
from edgerl.rl.run.logs import Log
from edgerl.tasks.agent_vit.agents import online
from edgerl.tasks.agent_vit.agents.online import Lesson, Running
from edgerl.tasks.agent_vit.data import Images
from edgerl.tasks.agent_vit.env import PatchSelection
from edgerl.tasks.agent_vit.evaluate import judge
from edgerl.tasks.hardware.cost import count_macs
from edgerl.util import files, memory
from edgerl.util.checkpoint import Checkpoints, open_checkpoints
from edgerl.util.content import cache_by_content
from edgerl.util.errors import UserError

CHECKPOINTS, CURVE, LOG = "checkpoints", "curve.json", "log.csv"


@dataclasses.dataclass(frozen=True)
class Member:
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

    def start(self) -> Running:
        """Before the first step. Members of one seed begin with the same transformer and see the same batches."""
        key = prng.new_key(np.uint32(self.seed), np.uint32(0))
        return online.start(self.env, self.agent, key, self.params)


def train(member: Member, folder: Path, test: Images, progress: bool = True) -> tuple[Running, list[dict[str, Any]]]:
    """Trains to the last mark, from the last checkpoint if there is one.

    Returns:
      The final state, and the judgement at every mark: `step`, `macs` and `seconds` of training so far, what
      `evaluate.judge` says.
    Raises:
      UserError: the loss is not finite, or the memory is not enough.
      KeyboardInterrupt: with a message that says how far it is.
    """
    with open_checkpoints(folder / CHECKPOINTS) as checkpoints:
        done = checkpoints.latest() or 0
        curve = [row for row in read_curve(folder / CURVE) if row["step"] <= done]
        try:
            running = member.start()
            if done:
                running = checkpoints.restore(done, like=running)
            with Log(folder / LOG, folder / "tensorboard", done) as log:
                running = _loop(member, running, done, curve, folder, checkpoints, log, test, progress)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error) and "memory" not in str(error).lower():
                raise
            raise UserError(f"not enough memory: try a smaller batch_size than {member.env.batch}") from error
    return running, curve


def require_memory(member: Member) -> None:
    """Raises a `UserError` if a training needs more memory than there is: its state before and after a step and as it
    is written, and what the transformer keeps of a batch for its gradient."""
    vit, tokens = member.env.network.config, member.env.patches
    widths = 2 * vit.att_dim + 3 * vit.heads * vit.dim_head + vit.mlp_dim + 2 * vit.heads * tokens
    needed = 3 * memory.size_of(jax.eval_shape(member.start)) + 4 * member.env.batch * tokens * widths * vit.depth
    shown = ", ".join(f"vit.{name} = {value}" for name, value in dataclasses.asdict(vit).items())
    memory.require(f"{shown}, batch_size = {member.env.batch}", needed, "make some of them smaller", jax.devices()[:1])


def load(member: Member, folder: Path) -> Running:
    """The state at a member's newest checkpoint."""
    with open_checkpoints(folder / CHECKPOINTS) as checkpoints:
        done = checkpoints.latest()
        if done is None:
            raise UserError(f"{folder} has no checkpoint: train first")
        return checkpoints.restore(done, like=member.start())


def read_log(folder: Path) -> dict[str, np.ndarray]:
    """Column → its values by step."""
    try:
        with (folder / LOG).open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    except (OSError, KeyError, ValueError, IndexError, TypeError, csv.Error) as error:
        raise UserError(f"{folder / LOG} is missing or damaged ({files.first_line(error)})") from error


def read_curve(path: Path) -> list[dict[str, Any]]:
    """The judgements of a training, none where there is no file."""
    rows = files.read_json(path) if path.is_file() else []
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and {"step", "macs", "seconds"} <= set(row) for row in rows
    ):
        raise UserError(f"{path} is damaged: expected a list of judgements")
    return rows


def _loop(
    member: Member,
    running: Running,
    done: int,
    curve: list[dict[str, Any]],
    folder: Path,
    checkpoints: Checkpoints,
    log: Log,
    test: Images,
    progress: bool,
) -> Running:
    from tqdm import tqdm

    cost = step_macs(member.env, member.agent)
    spent, seconds = 0.0, curve[-1]["seconds"] if curve else 0.0
    if done:
        spent = _spent(folder / LOG, done, cost)
    label = f"{member.name}, seed {member.seed}"
    with tqdm(total=member.marks[-1], initial=done, desc=label, disable=None if progress else True) as bar:
        try:
            while done < member.marks[-1]:
                mark = next(m for m in member.marks if m > done)
                count = min(member.every, mark - done)
                began = time.perf_counter()
                running, metrics = online.advance(
                    member.env, member.agent, running, member.params, jnp.int32(count), member.every
                )
                rows = {name: np.asarray(values)[:count, None] for name, values in metrics.items()}
                seconds += time.perf_counter() - began
                _check_finite(rows["loss"], done, member)
                log.append(done + 1, member.env.batch, rows)
                spent += steps_macs(cost, rows["size"][:, 0], done)
                if done + count == mark:
                    curve.append({"step": mark, "macs": spent, "seconds": seconds, **judged(member, running, test)})
                    files.write_json(folder / CURVE, curve)
                checkpoints.save(done + count, running)
                done += count
                bar.update(count)
                bar.set_postfix_str(f"loss {rows['loss'].mean():.3f}", refresh=False)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"{label}: step {done} is saved, the same command goes on from there") from None
    return running


def judged(member: Member, running: Running, test: Images) -> dict[str, Any]:
    """The running mean of the transformer on the test images."""
    classes = member.env.network.classes
    return judge(member.env, member.agent, running.agent, running.env.mean, test, classes)


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
        one = Lesson(state, obs, action, reward, obs, info)
        lesson = count_macs(lambda k, x: agent.learn(key, k, env, x), known, one)
    return {"sizes": sizes, "choice": choice, "lesson": lesson, "every": agent.every}


def steps_macs(cost: dict[str, Any], sizes: np.ndarray, before: int) -> float:
    """Of steps whose indices into the sizes are given, after `before` others."""
    every = cost["every"]
    lessons = (before + len(sizes)) // every - before // every if every else 0
    steps = np.asarray(cost["sizes"], np.float64)[sizes.astype(int)]
    return float(steps.sum() + cost["choice"] * len(sizes) + cost["lesson"] * lessons)


def _spent(log: Path, done: int, cost: dict[str, Any]) -> float:
    """Multiply-accumulates of the first `done` steps, by the log."""
    return steps_macs(cost, read_log(log.parent)["size"][:done], 0)


def _check_finite(loss: np.ndarray, done: int, member: Member) -> None:
    bad = np.flatnonzero(~np.isfinite(loss))
    if len(bad):
        raise UserError(
            f"the loss of {member.name}, seed {member.seed}, is {loss.ravel()[bad[0]]} at step {done + bad[0] + 1}: "
            f"try a smaller learning_rate than {float(member.env.default_params.learning_rate):g}"
        )
