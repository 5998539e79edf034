"""Early exits from training to verified C: what `edgerl train early-exit` and the commands after it do."""

import contextlib
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl import deploy
from edgerl.deploy import onnx_file
from edgerl.deploy.extras import Extra
from edgerl.deploy.names import DEFAULT
from edgerl.envs.policy import MLPPolicy
from edgerl.rl import ppo
from edgerl.rl.run import loop, runner
from edgerl.tasks.early_exit import run_figures
from edgerl.tasks.early_exit.config import EarlyExitConfig, environment, goal, images, modes
from edgerl.tasks.early_exit.env import EarlyExit
from edgerl.tasks.early_exit.evaluation import budgets
from edgerl.tasks.early_exit.evaluation import front as fronts
from edgerl.tasks.early_exit.evaluation.baselines import chosen, stop_by_threshold
from edgerl.tasks.early_exit.evaluation.evaluate import evaluate_policy, exits_of, report, share_of_bound
from edgerl.tasks.early_exit.export import cascade as cascades
from edgerl.tasks.early_exit.export import exits_c, exits_files
from edgerl.tasks.early_exit.export import images as page_images
from edgerl.tasks.early_exit.promise import kept as promises
from edgerl.tasks.early_exit.room import budget_note, decision_note
from edgerl.tasks.early_exit.table.calibration import expected_calibration_error
from edgerl.tasks.early_exit.table.features import features
from edgerl.tasks.early_exit.table.table import SHIPPED, Table, load_table
from edgerl.tasks.early_exit.trunk.data import POLICY, TEST
from edgerl.tasks.run import Run, tell
from edgerl.tasks.task import Task
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError
from edgerl.util.tables import Rows, percent

SEEDS = "seeds.npz"  # the policies of all seeds
FRONT = "front.npz"  # the policies of all prices


@dataclasses.dataclass(frozen=True)
class EarlyExitTask(Task):
    """When to stop computing a network: a front of policies, thresholds and optimal stopping to compare with."""

    config: type[Any] = EarlyExitConfig

    def environment(self, config: EarlyExitConfig, folder: Path | None = None) -> EarlyExit:
        """On the images that policies learn from."""
        del folder
        return environment(config)

    def train(self, config: EarlyExitConfig, out: str | Path, progress: bool = True) -> dict[str, Any]:
        """Trains the policy, or goes on with an unfinished run of the same configuration; then the front."""
        env, table, promise = environment(config), load_table(config.table or SHIPPED), config.promise
        # It needs no policy: what cannot be promised is told before anything is trained.
        promised = None if promise.loss is None else promises.calibrated(table, promise.loss, promise.delta)
        notes = _budget_notes(config, table)
        tell([*notes, *(promised or {}).get("notes", ())])
        about = {"system": self.name, **({"notes": notes} if notes else {})}
        result = runner.train_run(env, config, out, about=about, progress=progress)
        first = processes.is_first()
        if first:
            fronts.save_front(Path(out) / SEEDS, _all_seeds(env, config, Path(out)))
            if promised is not None:
                files.write_json(Path(out) / promises.FILE, promised)
        if config.front:
            seconds = time.perf_counter()
            plain = dataclasses.replace(config, preference=False)
            front = jax.block_until_ready(learn_front(plain, environment(plain), config.front))
            if first:
                fronts.save_front(Path(out) / FRONT, front)
            result["seconds"]["front"] = time.perf_counter() - seconds
        return result

    def evaluate(self, run: Run) -> dict[str, Any]:
        """The policy and the front on the test images, against every baseline and bound."""
        settings, table = run.config, load_table(run.config.table or SHIPPED)
        front = _judged_front(run, table)
        judged = {mode: _judge(run, table, preference) for mode, preference in modes(settings).items()}
        notes = _budget_notes(settings, table) + _decision_notes(settings, judged)
        tell(notes)
        return {
            "system": self.name,
            "environment": settings.environment,
            "profile": settings.profile,
            "table": settings.table or SHIPPED.name,
            "exits": _exits(table),
            "modes": judged,
            **({"front": front} if front else {}),
            **({"notes": notes} if notes else {}),
        }

    def table(self, found: Mapping[str, Any]) -> Rows:
        """The policy and the rules it is compared with; each policy's share of the bound; the front's summary."""
        head = "accuracy", "million MACs", "latency (ms)", "energy (mJ)", "reward"
        rows: list[list[Any]] = [[f"test images on {found['profile']}", *head]]
        for mode, judged in found["modes"].items():
            rows.append([mode, *_figures(judged["policy"])])
        rules = next(iter(found["modes"].values()))["rules"]
        rows += [[name, *_figures(rules[name])] for name in rules if not name.startswith(("entropy", "margin"))]
        for mode, judged in found["modes"].items():
            rows.append([f"{mode}, share of the bound", percent(judged["share_of_bound"], 2)])
        if "front" in found:
            rows.append(["front, least share of its bounds", percent(found["front"]["worst_share_of_bound"], 2)])
        return rows

    def figures(self, run: Run, data: str | None = None) -> list[Path]:
        """All pictures of a run, in RUN/figures. `data`: a folder with the images' binary files, for the gallery."""
        return run_figures.draw(run, data)

    def certify(self, run: Run, loss: float, delta: float) -> dict[str, Any]:
        """The cheapest threshold that keeps a promise, beside the one chosen without a bound; see `Run.certify`."""
        found = promises.calibrated(load_table(run.config.table or SHIPPED), loss, delta)
        tell(found.get("notes", ()))
        files.write_json(run.folder / promises.FILE, found)
        return found

    def export(  # type: ignore[override]  # it is judged on images, not in episodes
        self,
        run: Run,
        out: str | Path,
        name: str = DEFAULT,
        onnx: bool = False,
        cascade: bool = False,
        data: str | None = None,
    ) -> dict[str, Any]:
        """The deployment folder (see `deploy.export`), with `NAME_exits.h` and `.c`: raw logits in, decision out.

        Its report says what the deployed policy, fed by the device's own features, reaches on the test images. Where
        the run has a certificate, the exits decide by its rule; one that the integers do not give is refused.

        Args:
          name: begins every file, symbol, macro and package that goes into firmware.
          onnx: whether the float policy is written as `NAME.onnx`, too.
          cascade: also write the network itself, as int8 C, evaluated and verified on images.
          data: folder of the images' binary files, for the cascade; None: through tensorflow-datasets.
        """
        files.must_be_new(out)
        if data is not None and not cascade:
            raise UserError("--data: only an export with --cascade needs data")
        settings, table = run.config, load_table(run.config.table or SHIPPED)
        preference = list(modes(settings).values())[len(modes(settings)) // 2]
        test = images(settings, table, "test", preference)
        told = 0.5 if preference is None else preference
        promised = promises.of_run(run.folder, table)
        device = exits_c.Device(test.env, table.temperatures, table.classes, told)
        seen = device.observe(table.logits(table.rows(TEST)))

        def closed_loop(player: Any) -> dict[str, Any]:
            deployed, exact = exits_of(player, seen), exits_of(run.perceptron, test.observations)
            return {
                "features_largest_difference": float(np.abs(seen - test.observations).max()),
                "decisions_changed": float((deployed != exact).mean()),
                "float32": report(test, exact),
                "int8": report(test, deployed),
                **({} if promised is None or cascade else {"promise": promises.on_test_images(table, promised)}),
            }

        with contextlib.ExitStack() as stack:
            network = None
            if cascade:
                network = stack.enter_context(cascades.prepared(settings, table, data, name, promised))
                promised = network.promise
            extra = {
                **onnx_file.extra(onnx, run.policy),
                exits_files.NAME: stack.enter_context(exits_files.extra_of(device.exits, promised)),
                page_images.NAME: Extra(page_images.said_of(table, test.env, Path(settings.profile).stem)),
            }
            return deploy.export(
                run.policy,
                _calibration(settings, table, device),
                out,
                name=name,
                env=test.env,
                about={"system": self.name, "configuration": configuration.as_dict(settings)},
                closed_loop=closed_loop,
                extra=extra if network is None else {**extra, **network.extra},
                inspect=None if network is None else network.inspect,
            )


def _figures(one: Mapping[str, Any]) -> list[Any]:
    """Of a report: accuracy, million multiply-accumulates, milliseconds, millijoules, reward."""
    means = {
        name: (one.get(name) or {}).get("mean") for name in ("accuracy", "macs", "latency_ms", "energy_mj", "reward")
    }
    macs = means["macs"]
    return [
        percent(means["accuracy"], 2),
        None if macs is None else round(macs / 1e6, 3),
        means["latency_ms"],
        means["energy_mj"],
        means["reward"],
    ]


def learn_front(settings: EarlyExitConfig, env: EarlyExit, count: int) -> MLPPolicy:
    """`count` policies for as many prices of compute, in one compiled call."""
    config = settings.front_ppo

    def learn(key: Any, params: Any) -> MLPPolicy:
        made = ppo.greedy_policy(env, config, ppo.train(env, config, key, params)[0])
        assert isinstance(made, MLPPolicy)  # the configuration has no memory
        return made

    key = jax.random.fold_in(jax.random.key(settings.seed), 1001)  # which the run itself does not use
    return fronts.learn_front(learn, env.default_params, key, count)


def _judge(run: Run, table: Table, preference: float | None) -> dict[str, Any]:
    """The kept policy against everything, and every seed's share of the bound."""
    settings = run.config
    fit, test = (images(settings, table, split, preference) for split in ("policy", "test"))
    judged = evaluate_policy(run.perceptron, fit, test, settings.seed)
    scores = fronts.scores_of(fronts.load_front(run.folder / SEEDS), test.observations)
    bound = judged["rules"][judged["bound"]]["reward"]["mean"]
    earned = [chosen(test.reward, stop_by_threshold(score, budgets.ABOVE_ZERO)).mean() for score in scores]
    asked, reached = goal(settings).target_accuracy, judged["policy"]["accuracy"]["mean"]
    return judged | {
        "seeds_shares_of_bound": [share_of_bound(float(reward), bound) for reward in earned],
        "target_accuracy": {"asked": asked, "met": bool(reached >= asked)},
    }


def _budget_notes(settings: EarlyExitConfig, table: Table) -> list[str]:
    note = budget_note(table, settings.profile, goal(settings))
    return [] if note is None else [note]


def _decision_notes(settings: EarlyExitConfig, judged: dict[str, Any]) -> list[str]:
    """Where the best rule of every mode stops all images at one exit."""
    found = [decision_note(np.array(one["rules"][one["bound"]]["exits"]), settings.profile) for one in judged.values()]
    notes = [note for note in found if note is not None]
    return notes[:1] if len(notes) == len(found) else []


def _all_seeds(env: EarlyExit, settings: EarlyExitConfig, folder: Path) -> MLPPolicy:
    """The greedy policies of a finished run's seeds, with a leading axis, from its last checkpoint."""
    training = runner.PPO(env, settings)
    policies = training.policy(loop.load(training, folder)[0])
    assert isinstance(policies, MLPPolicy)  # the configuration has no memory
    return policies


def _judged_front(run: Run, table: Table) -> dict[str, Any] | None:
    """The front at all budgets. It sees no preference, whatever the policy sees."""
    settings = dataclasses.replace(run.config, preference=False)
    if not settings.front:
        return None
    policies = fronts.load_front(run.folder / FRONT)
    fit, test = (images(settings, table, split, None) for split in ("policy", "test"))
    fit_scores, test_scores = (fronts.scores_of(policies, seen.observations) for seen in (fit, test))
    front = budgets.Front(fit_scores, test_scores, fit)
    return budgets.evaluate_front(front, fronts.prices(settings.front), fit, test)


def _exits(table: Table) -> dict[str, Any]:
    """Accuracy and calibration of the exits on the test images."""
    rows = table.rows(TEST)
    seen = features(table, rows)
    raw = features(dataclasses.replace(table, temperatures=np.ones_like(table.temperatures)), rows)
    return {
        "accuracy": seen.correct.mean(0).tolist(),
        "macs": None if table.macs is None else table.macs.tolist(),
        "temperatures": table.temperatures.tolist(),
        "calibration_error_before": expected_calibration_error(raw.probability, raw.correct).tolist(),
        "calibration_error": expected_calibration_error(seen.probability, seen.correct).tolist(),
    }


def _calibration(settings: EarlyExitConfig, table: Table, device: exits_c.Device) -> np.ndarray:
    """float32 [N, F]: what the device sees on the policy split at every exit, for a few preferences if one is told."""
    logits = table.logits(table.rows(POLICY))
    told = np.linspace(0, 1, 5) if settings.preference else [0.5]
    seen = [dataclasses.replace(device, preference=float(p)).observe(logits) for p in told]
    return np.concatenate(seen).reshape(-1, len(device.env.names))


TASK = EarlyExitTask("early-exit")
