"""AgentViT from training to verified C: what `edgerl train agent-vit` and the commands after it do."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgerl import deploy
from edgerl.deploy import onnx_file
from edgerl.deploy.names import DEFAULT
from edgerl.envs.environment import Environment
from edgerl.envs.policy_file import load_perceptron, save_policy
from edgerl.rl.run import run_folder
from edgerl.rl.run.logs import read_log
from edgerl.tasks.agent_vit import deployment, judgement, members, methods, training
from edgerl.tasks.agent_vit import figures as pictures
from edgerl.tasks.agent_vit.evaluate import evaluate_masks
from edgerl.tasks.agent_vit.methods import AgentViTConfig
from edgerl.tasks.run import JUDGEMENT, Run, require_finished
from edgerl.tasks.task import Task
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError
from edgerl.util.tables import Rows

ENVIRONMENT = "PatchSelection-v0"
SHOWN = 10  # images in the picture of chosen patches


@dataclasses.dataclass(frozen=True)
class AgentViTTask(Task):
    """Which image patches to train a vision transformer on. Its agents learn while the transformer does, not by PPO."""

    config: type[Any] = AgentViTConfig

    def environment(self, config: AgentViTConfig, folder: Path | None = None) -> Environment:
        """The training of a transformer on the run's images."""
        del folder
        splits = methods.load_splits(config)
        return methods.member(config, splits, config.agent, config.seed).env

    def playable(self, config: AgentViTConfig, folder: Path | None = None) -> Environment:
        """There is none.

        Raises:
          UserError: always.
        """
        raise UserError(
            f"agent-vit's policy decides of one patch at a time, which {ENVIRONMENT} does not show it: "
            "`edgerl evaluate RUN` plays it"
        )

    def train(self, config: AgentViTConfig, out: str | Path, progress: bool = True) -> dict[str, Any]:
        """Trains one transformer with its agent for every seed, or goes on with an unfinished run of the same."""
        processes.require_one("agent-vit")
        out, splits = Path(out), methods.load_splits(config)
        made = [methods.member(config, splits, config.agent, seed) for seed in methods.seeds(config)]
        members.require_memory(made[0])
        about = {"system": self.name, "environment": ENVIRONMENT}
        run_folder.open_folder(out, configuration.as_dict(config), about, resume=True)
        last, policies = {}, []
        for one in made:
            learner = training.PatchTraining(one, out, splits)
            running, curve = training.train(learner, progress)
            last[str(one.seed)] = curve[-1]
            policies.append(learner.policy(running))
        save_policy(out / run_folder.POLICY, policies[0])
        result = {**about, "agent": config.agent, "seeds": last}
        files.write_json(out / run_folder.RESULT, result)
        return result

    def open(self, folder: str | Path) -> Run:
        """A finished run of this task."""
        folder = Path(folder)
        require_finished(folder)
        settings = configuration.load(AgentViTConfig, folder / run_folder.CONFIG)
        result = files.read_json(folder / run_folder.RESULT)
        return Run(self, folder, settings, load_perceptron(folder / run_folder.POLICY), result)

    def evaluate(self, run: Run) -> dict[str, Any]:
        """Trains every method to as many multiply-accumulates as the full transformer's and compares them all.

        Trainings that RUN/members has already are not done again.
        """
        judged = judgement.evaluate(run.config, methods.load_splits(run.config), run.folder)
        return {"system": self.name, "environment": ENVIRONMENT, **judged}

    def table(self, found: Mapping[str, Any]) -> Rows:
        """A row a method."""
        return judgement.rows(found)

    def figures(self, run: Run, data: str | None = None) -> list[Path]:
        """Pictures and a table of all trainings that RUN/members has, in RUN/figures. `data`: CIFAR-10's binary files.

        Loss and patches a step; the agent's reward; what is chosen of a few test images, and where. Once
        `edgerl evaluate` has judged them: accuracy against cost, and the table of all methods.
        """
        settings = run.config if data is None else dataclasses.replace(run.config, data=data)
        splits, out, folder = methods.load_splits(settings), run.folder, run.folder / "figures"
        there = judgement.trained(settings, out)
        logs = {name: read_log(methods.folder_of(out, name, settings.seed) / run_folder.LOG) for name in there}
        chosen = {n: judgement.choices(settings, splits, out, n) for n in there if n not in ("full", "annealed")}
        drawn = [
            pictures.losses(folder / "loss_and_patches.png", logs),
            pictures.agent(folder / "agent.png", logs[settings.agent], settings.agent, chosen[settings.agent].shape[1]),
            pictures.chosen_patches(
                folder / "chosen_patches.png", splits.test.images[:SHOWN], {n: c[:SHOWN] for n, c in chosen.items()}
            ),
            pictures.positions(folder / "positions.png", chosen),
        ]
        if (out / JUDGEMENT).is_file():
            judged, seconds = files.read_json(out / JUDGEMENT), files.read_json(out / judgement.TIMES)
            compared = judgement.curves(settings, out, list(judged["methods"]))
            drawn.append(pictures.accuracy_against_cost(folder / "accuracy_against_cost.png", compared, seconds))
            files.write_bytes(folder / "table.md", judgement.table(judged).encode())
            drawn.append(folder / "table.md")
        return drawn

    def export(  # type: ignore[override]
        self, run: Run, out: str | Path, name: str = DEFAULT, onnx: bool = False
    ) -> dict[str, Any]:
        """The deployment folder of the first seed's agent (see `deploy.export`).

        The policy's network sees one patch and decides: 0 leave, 1 take. Its threshold takes `n_patch_desired` patches
        of a training image on average. AgentViT's Q-network sees the state of a batch and its scores are what counts.

        Args:
          name: begins every file, symbol, macro and package that goes into firmware.
          onnx: whether the float policy is written as `NAME.onnx`, too.
        """
        files.must_be_new(out)
        more = onnx_file.extra(onnx, run.policy)
        settings, splits = run.config, methods.load_splits(run.config)
        one = methods.member(settings, splits, settings.agent, settings.seed)
        running = training.load(one, run.folder, splits)

        def closed_loop(player: Any) -> dict[str, Any]:
            return {
                name: evaluate_masks(one.env, running.env.mean, deployment.masks(one, p), splits.test)
                for name, p in (("float32", run.policy), ("int8", player))
            }

        seen = deployment.observations(one, running, splits)
        about = {"system": self.name, "configuration": configuration.as_dict(settings)}
        env: Any = deployment.exported(one, run.perceptron)
        return deploy.export(
            run.policy, seen, out, name=name, env=env, about=about, closed_loop=closed_loop, extra=more
        )


TASK = AgentViTTask("agent-vit")
