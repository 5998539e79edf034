"""AgentViT from training to verified C: what `edgerl train agent-vit` and the commands after it do."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgerl import deploy
from edgerl.envs.policy import load_policy, save_policy
from edgerl.rl.run import run_folder
from edgerl.tasks.agent_vit import deployment, judgement, members, methods
from edgerl.tasks.agent_vit import figures as pictures
from edgerl.tasks.agent_vit.data import Splits
from edgerl.tasks.agent_vit.evaluate import judge_masks
from edgerl.tasks.agent_vit.methods import AgentViTConfig
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError

SYSTEM, ENVIRONMENT = "agent-vit", "PatchSelection-v0"
JUDGEMENT = "judgement.json"
SHOWN = 10  # images in the picture of chosen patches


def train(config: str | None, overrides: Sequence[str], out: str | Path) -> dict[str, Any]:
    """Trains one transformer with its agent for every seed, or goes on with an unfinished run of the same."""
    processes.require_one("agent-vit")
    settings, out = configuration.load(AgentViTConfig, config, overrides), Path(out)
    splits = methods.load_splits(settings)
    made = [methods.member(settings, splits, settings.agent, seed) for seed in methods.seeds(settings)]
    members.require_memory(made[0])
    about = {"system": SYSTEM, "environment": ENVIRONMENT}
    run_folder.open_folder(out, configuration.as_dict(settings), about, resume=True)
    last, policies = {}, []
    for one in made:
        running, curve = members.train(one, methods.folder_of(out, one.name, one.seed), splits.test)
        last[str(one.seed)] = curve[-1]
        policies.append(deployment.deployable(one, running, splits))
    save_policy(out / run_folder.POLICY, policies[0])
    result = {**about, "agent": settings.agent, "seeds": last}
    files.write_json(out / run_folder.RESULT, result)
    return result


def evaluate(run: str | Path) -> dict[str, Any]:
    """Trains every method to as many multiply-accumulates as the full transformer's and compares them all.

    Trainings that RUN/members has already are not done again. Kept in RUN/judgement.json.
    """
    settings, splits = _load(run)
    result = {"system": SYSTEM, "environment": ENVIRONMENT, **judgement.judge(settings, splits, Path(run))}
    files.write_json(Path(run) / JUDGEMENT, result)
    return result


def figures(run: str | Path, data: str | None = None) -> list[Path]:
    """Pictures and a table of all trainings that RUN/members has, in RUN/figures. `data`: CIFAR-10's binary files.

    Loss and patches a step; the agent's reward; what is chosen of a few test images, and where. Once `edgerl evaluate`
    has judged them: accuracy against cost, and the table of all methods.
    """
    settings, splits = _load(run, data)
    folder, there = Path(run) / "figures", judgement.trained(settings, Path(run))
    logs = {name: members.read_log(methods.folder_of(Path(run), name, settings.seed)) for name in there}
    chosen = {n: judgement.choices(settings, splits, Path(run), n) for n in there if n not in ("full", "annealed")}
    drawn = [
        pictures.losses(folder / "loss_and_patches.png", logs),
        pictures.agent(folder / "agent.png", logs[settings.agent], settings.agent, chosen[settings.agent].shape[1]),
        pictures.chosen_patches(
            folder / "chosen_patches.png", splits.test.images[:SHOWN], {n: c[:SHOWN] for n, c in chosen.items()}
        ),
        pictures.positions(folder / "positions.png", chosen),
    ]
    if (Path(run) / JUDGEMENT).is_file():
        judged, seconds = files.read_json(Path(run) / JUDGEMENT), files.read_json(Path(run) / judgement.TIMES)
        compared = judgement.curves(settings, Path(run), list(judged["methods"]))
        drawn.append(pictures.accuracy_against_cost(folder / "accuracy_against_cost.png", compared, seconds))
        files.write_bytes(folder / "table.md", judgement.table(judged).encode())
        drawn.append(folder / "table.md")
    return drawn


def export(run: str | Path, out: str | Path) -> dict[str, Any]:
    """The deployment folder of the first seed's agent (see `deploy.export`).

    The policy's network sees one patch and decides: 0 leave, 1 take. Its threshold takes `n_patch_desired` patches of a
    training image on average. AgentViT's Q-network sees the state of a batch and its scores are what counts.
    """
    files.must_be_new(out)
    settings, splits = _load(run)
    policy = load_policy(Path(run) / run_folder.POLICY)
    one = methods.member(settings, splits, settings.agent, settings.seed)
    running = members.load(one, methods.folder_of(Path(run), one.name, one.seed))

    def closed_loop(player: Any) -> dict[str, Any]:
        return {
            name: judge_masks(one.env, running.env.mean, deployment.masks(one, p), splits.test)
            for name, p in (("float32", policy), ("int8", player))
        }

    seen = deployment.observations(one, running, splits)
    return deploy.export(policy, seen, out, closed_loop=closed_loop)


def _load(run: str | Path, data: str | None = None) -> tuple[AgentViTConfig, Splits]:
    """A finished run's configuration and images, the latter from `data` where it is given."""
    if not (Path(run) / run_folder.RESULT).is_file():
        raise UserError(f"{run} is unfinished: the same `edgerl train` command again, with --out {run}, goes on")
    settings = configuration.load(AgentViTConfig, Path(run) / run_folder.CONFIG)
    return settings, methods.load_splits(settings if data is None else dataclasses.replace(settings, data=data))
