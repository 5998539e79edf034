"""The training of a member: a transformer under one choice of patches, judged on test images on the way.

A member's folder: checkpoints/ of everything, log.csv with every step, curve.json with its judgements so far.
"""

import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.envs.policy import MLPPolicy
from edgerl.rl.learner import Metrics
from edgerl.rl.run import loop
from edgerl.rl.run.logs import read_log
from edgerl.rl.run.loop import Training
from edgerl.rl.run.run_folder import LOG
from edgerl.tasks.agent_vit import deployment, members, methods
from edgerl.tasks.agent_vit.agents import online
from edgerl.tasks.agent_vit.agents.online import TrainState
from edgerl.tasks.agent_vit.data import Splits
from edgerl.tasks.agent_vit.evaluate import evaluate_agent
from edgerl.tasks.agent_vit.members import Trial
from edgerl.util import files
from edgerl.util.errors import UserError

CURVE = "curve.json"


def train(training: "PatchTraining", progress: bool = True) -> tuple[TrainState, list[dict[str, Any]]]:
    """Trains to the last mark, from the last checkpoint if there is one.

    Returns:
      The final state, and the judgement at every mark: `step`, `macs` and `seconds` of training so far, what
      `evaluate.evaluate_agent` says.
    Raises:
      UserError: the loss is not finite, or the memory is not enough.
      KeyboardInterrupt: with a message that says how far it is.
    """
    try:
        running = loop.train(training, training.folder, progress)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error) and "memory" not in str(error).lower():
            raise
        raise UserError(f"not enough memory: try a smaller batch_size than {training.config.env.batch}") from error
    return running, read_curve(training.folder)


class PatchTraining(Training[TrainState]):
    """An agent and the transformer that it chooses patches for, judged at each of the member's marks.

    Args:
      member: what is trained.
      run: the folder of the run that the member's is in.
      splits: images; the environment has the training images already.
    """

    METRICS = online.METRICS
    unit = "step"

    def __init__(self, member: Trial, run: Path, splits: Splits) -> None:
        self.config, self.marks, self.every = member, member.marks, member.every
        self.steps_per_update = member.env.batch
        self.label = f"{member.name}, seed {member.seed}"
        self.folder = methods.folder_of(run, member.name, member.seed)
        self._splits = splits
        self._seconds = 0.0  # of training, since the last mark

    def init(self) -> TrainState:
        """Members of one seed begin with the same transformer and see the same batches."""
        return self.config.start()

    def update(self, state: TrainState, done: int, count: int) -> tuple[TrainState, Metrics]:
        """Steps of the transformer, and where they are due, lessons of the agent."""
        member, began = self.config, time.perf_counter()
        state, metrics = online.update(member.env, member.agent, state, member.params, jnp.int32(count), member.every)
        rows = {name: np.asarray(values)[:count, None] for name, values in metrics.items()}
        self._seconds += time.perf_counter() - began
        return state, rows

    def policy(self, state: TrainState) -> MLPPolicy:
        """The network that goes onto a device, of an agent that has one."""
        return deployment.deployable(self.config, state, self._splits)

    def note(self, state: TrainState, done: int, metrics: Metrics) -> str:
        """The mean loss. At a mark, the running mean of the transformer is judged on the test images."""
        if done in self.marks:
            # A training that was killed between this and its checkpoint has judged the mark already.
            curve = [row for row in read_curve(self.folder) if row["step"] < done]
            seconds, self._seconds = self._seconds + (curve[-1]["seconds"] if curve else 0.0), 0.0
            judged = self._judged(state)
            row = {"step": done, "macs": self._spent(done), "seconds": seconds, **judged}
            files.write_json(self.folder / CURVE, [*curve, row])
        return f"loss {metrics['loss'].mean():.3f}"

    def diverged(self, column: int, found: str) -> str:
        """There is one column."""
        rate = float(self.config.env.default_params.learning_rate)
        who = f"{self.config.name}, seed {self.config.seed}"
        return f"the loss of {who}, is {found}: try a smaller learning_rate than {rate:g}"

    def _judged(self, running: TrainState) -> dict[str, Any]:
        env, agent = self.config.env, self.config.agent
        return evaluate_agent(env, agent, running.agent, running.env.mean, self._splits.test, env.network.classes)

    def _spent(self, done: int) -> float:
        """Multiply-accumulates of the first `done` steps, by the log."""
        sizes = read_log(self.folder / LOG)["size"][:done]
        return members.steps_macs(members.step_macs(self.config.env, self.config.agent), sizes)


def load(member: Trial, run: Path, splits: Splits) -> TrainState:
    """The state at a member's newest checkpoint."""
    training = PatchTraining(member, run, splits)
    return loop.load(training, training.folder)[0]


def read_curve(folder: Path) -> list[dict[str, Any]]:
    """The judgements of a member's training, none where there is no file."""
    path = folder / CURVE
    rows = files.read_json(path) if path.is_file() else []
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and {"step", "macs", "seconds"} <= set(row) for row in rows
    ):
        raise UserError(f"{path} is damaged: expected a list of evaluations")
    return rows
