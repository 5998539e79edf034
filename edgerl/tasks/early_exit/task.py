"""Early exits from training to verified C: what `edgerl train early-exit` and the commands after it do."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from edgerl import deploy
from edgerl.deploy.extras import Extra
from edgerl.envs.policy import MLPPolicy
from edgerl.rl import ppo
from edgerl.rl.run import runner
from edgerl.tasks import runs
from edgerl.tasks.early_exit import figures as pictures
from edgerl.tasks.early_exit.config import EarlyExitConfig, environment, images, modes
from edgerl.tasks.early_exit.env import EXIT, EarlyExit
from edgerl.tasks.early_exit.evaluation import budgets
from edgerl.tasks.early_exit.evaluation import front as fronts
from edgerl.tasks.early_exit.evaluation.baselines import chosen, first_stop, stop_by_threshold
from edgerl.tasks.early_exit.evaluation.evaluate import actions_of, exits_of, judge, report, share_of_bound
from edgerl.tasks.early_exit.evaluation.stopping import fit_stopping
from edgerl.tasks.early_exit.export import exits_c as c_features
from edgerl.tasks.early_exit.export import exits_files as c_extra
from edgerl.tasks.early_exit.room import budget_note, decision_note
from edgerl.tasks.early_exit.table.calibration import expected_calibration_error
from edgerl.tasks.early_exit.table.features import features
from edgerl.tasks.early_exit.table.table import SHIPPED, Table, load_table
from edgerl.tasks.early_exit.trunk.data import POLICY, TEST, load_cifar100
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.checkpoint import open_checkpoints
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError

SYSTEM = "early-exit"
SEEDS = "seeds.npz"  # the policies of all seeds
FRONT = "front.npz"  # the policies of all prices
JUDGEMENT = "judgement.json"


def train(config: str | None, overrides: Sequence[str], out: str | Path) -> dict[str, Any]:
    """Trains the policy, or goes on with an unfinished run of the same configuration; then the front."""
    settings = configuration.load(EarlyExitConfig, config, overrides)
    env = environment(settings)
    notes = _budget_notes(settings, load_table(settings.table or SHIPPED))
    runs.tell(notes)
    result = runner.train_run(env, settings, out, about={"system": SYSTEM, **({"notes": notes} if notes else {})})
    first = processes.is_first()
    if first:
        fronts.save_front(Path(out) / SEEDS, _all_seeds(env, settings, Path(out)))
    if settings.front:
        seconds = time.perf_counter()
        plain = dataclasses.replace(settings, preference=False)
        front = jax.block_until_ready(learn_front(plain, environment(plain), settings.front))
        if first:
            fronts.save_front(Path(out) / FRONT, front)
        result["seconds"]["front"] = time.perf_counter() - seconds
    return result


def evaluate(run: str | Path) -> dict[str, Any]:
    """The policy and the front on the test images, against every baseline and bound. Kept in RUN/judgement.json."""
    loaded = runs.load(run, EarlyExitConfig)
    settings, table = loaded.config, load_table(loaded.config.table or SHIPPED)
    front = _judged_front(loaded, table)
    judged = {mode: _judge(loaded, table, preference) for mode, preference in modes(settings).items()}
    notes = _budget_notes(settings, table) + _decision_notes(settings, judged)
    runs.tell(notes)
    result = {
        "system": SYSTEM,
        "environment": settings.environment,
        "profile": settings.profile,
        "table": settings.table or SHIPPED.name,
        "exits": _exits(table),
        "modes": judged,
        **({"front": front} if front else {}),
        **({"notes": notes} if notes else {}),
    }
    files.write_json(loaded.folder / JUDGEMENT, result)
    return result


def figures(run: str | Path, data: str | None = None) -> list[Path]:
    """All pictures of a run, in RUN/figures. `data`: a folder with CIFAR-100's binary files, for the gallery."""
    loaded = runs.load(run, EarlyExitConfig)
    settings, table = loaded.config, load_table(loaded.config.table or SHIPPED)
    kept = loaded.folder / JUDGEMENT
    judged = files.read_json(kept) if kept.is_file() else evaluate(run)
    mode, preference = list(modes(settings).items())[len(modes(settings)) // 2]
    test = images(settings, table, "test", preference)
    logits = table.logits(table.rows(TEST))
    true = np.take_along_axis(_probabilities(logits, table), table.labels[table.rows(TEST)][:, None, None], 2)[..., 0]
    stop = actions_of(loaded.policy, test.observations) == EXIT
    exits = first_stop(stop)
    raw = _probabilities(logits, dataclasses.replace(table, temperatures=np.ones_like(table.temperatures))).max(-1)
    steps, returns = runs.learning_curve(loaded)
    bound = None if settings.preference else _bound_in_training(settings, table)
    folder = loaded.folder / "figures"
    drawn = [
        pictures.exits_by_difficulty(folder / "exit_distribution.png", exits, true[:, -1], table.exits),
        pictures.decisions_by_confidence(folder / "confidence.png", test.features.confidence, stop),
        pictures.reward_curve(folder / "reward_curve.png", steps, returns, bound),
        pictures.reliability(
            folder / "reliability.png",
            raw,
            test.features.probability,
            test.correct,
            np.array([expected_calibration_error(p, test.correct) for p in (raw, test.features.probability)]),
        ),
    ]
    if "front" in judged:
        path = folder / "accuracy_against_cost.png"
        rules = judged["modes"][mode]["rules"]
        drawn.append(pictures.accuracy_against_cost(path, judged["front"], rules, table.exits, settings.profile))
    if data is not None:
        drawn.append(_gallery(folder / "gallery.png", data, table, exits))
    return drawn


def export(run: str | Path, out: str | Path, extra: Mapping[str, Extra] | None = None) -> dict[str, Any]:
    """The deployment folder (see `deploy.export`), with `exits.h` and `exits.c`: raw logits in, decision out.

    Its report says what the deployed policy, fed by the device's own features, reaches on the test images.

    Args:
      extra: more files, by their generator's name.
    """
    loaded = runs.load(run, EarlyExitConfig)
    settings, table = loaded.config, load_table(loaded.config.table or SHIPPED)
    preference = list(modes(settings).values())[len(modes(settings)) // 2]
    test = images(settings, table, "test", preference)
    device = c_features.Device(test.env, table.temperatures, table.classes, 0.5 if preference is None else preference)
    seen = device.observe(table.logits(table.rows(TEST)))

    def closed_loop(player: Any) -> dict[str, Any]:
        deployed, exact = exits_of(player, seen), exits_of(loaded.policy, test.observations)
        return {
            "features_largest_difference": float(np.abs(seen - test.observations).max()),
            "decisions_changed": float((deployed != exact).mean()),
            "float32": report(test, exact),
            "int8": report(test, deployed),
        }

    return deploy.export(
        loaded.policy,
        _calibration(settings, table, device),
        out,
        env=test.env,
        about={"system": SYSTEM, "configuration": configuration.as_dict(settings)},
        closed_loop=closed_loop,
        extra={c_extra.NAME: Extra(c_extra.said_of(device.exits)), **(extra or {})},
    )


def learn_front(settings: EarlyExitConfig, env: EarlyExit, count: int) -> MLPPolicy:
    """`count` policies for as many prices of compute, in one compiled call."""
    config = settings.front_ppo

    def learn(key: Any, params: Any) -> MLPPolicy:
        return ppo.greedy_policy(env, config, ppo.train(env, config, key, params)[0])

    key = jax.random.fold_in(jax.random.key(settings.seed), 1001)  # which the run itself does not use
    return fronts.learn_front(learn, env.default_params, key, count)


def _judge(loaded: runs.Run, table: Table, preference: float | None) -> dict[str, Any]:
    """The kept policy against everything, and every seed's share of the bound."""
    settings = loaded.config
    fit, test = (images(settings, table, split, preference) for split in ("policy", "test"))
    judged = judge(loaded.policy, fit, test, settings.seed)
    scores = fronts.scores_of(fronts.load_front(loaded.folder / SEEDS), test.observations)
    bound = judged["rules"][judged["bound"]]["reward"]["mean"]
    earned = [chosen(test.reward, stop_by_threshold(score, budgets.ABOVE_ZERO)).mean() for score in scores]
    return judged | {"seeds_shares_of_bound": [share_of_bound(float(reward), bound) for reward in earned]}


def _budget_notes(settings: EarlyExitConfig, table: Table) -> list[str]:
    note = budget_note(table, settings.profile)
    return [] if note is None else [note]


def _decision_notes(settings: EarlyExitConfig, judged: dict[str, Any]) -> list[str]:
    """Where the best rule of every mode stops all images at one exit."""
    found = [decision_note(np.array(one["rules"][one["bound"]]["exits"]), settings.profile) for one in judged.values()]
    notes = [note for note in found if note is not None]
    return notes[:1] if len(notes) == len(found) else []


def _all_seeds(env: EarlyExit, settings: EarlyExitConfig, folder: Path) -> MLPPolicy:
    """The greedy policies of a finished run's seeds, with a leading axis, from its last checkpoint."""
    like = runner.start(env, settings.ppo, runner.keys(settings)[0], env.default_params)
    with open_checkpoints(folder / "checkpoints") as checkpoints:
        states = checkpoints.restore(settings.ppo.num_updates, like=like)
    return jax.vmap(lambda state: ppo.greedy_policy(env, settings.ppo, state))(states)


def _judged_front(loaded: runs.Run, table: Table) -> dict[str, Any] | None:
    """The front at all budgets. It sees no preference, whatever the policy sees."""
    settings = dataclasses.replace(loaded.config, preference=False)
    if not settings.front:
        return None
    policies = fronts.load_front(loaded.folder / FRONT)
    fit, test = (images(settings, table, split, None) for split in ("policy", "test"))
    fit_scores, test_scores = (fronts.scores_of(policies, seen.observations) for seen in (fit, test))
    front = budgets.Front(fit_scores, test_scores, fit)
    return budgets.judge_front(front, fronts.prices(settings.front), fit, test)


def _bound_in_training(settings: EarlyExitConfig, table: Table) -> float:
    fit = images(settings, table, "policy", None)
    return float(chosen(fit.reward, fit_stopping(fit.observed, fit.reward).exits(fit.observed)).mean())


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


def _probabilities(logits: np.ndarray, table: Table) -> np.ndarray:
    """float32 [n, K, C] at the table's temperatures."""
    return np.asarray(jax.nn.softmax(logits / table.temperatures[:, None]))


def _calibration(settings: EarlyExitConfig, table: Table, device: c_features.Device) -> np.ndarray:
    """float32 [N, F]: what the device sees on the policy split at every exit, for a few preferences if one is told."""
    logits = table.logits(table.rows(POLICY))
    told = np.linspace(0, 1, 5) if settings.preference else [0.5]
    seen = [dataclasses.replace(device, preference=float(p)).observe(logits) for p in told]
    return np.concatenate(seen).reshape(-1, len(device.env.names))


def _gallery(path: Path, data: str, table: Table, exits: np.ndarray) -> Path:
    pixels, labels = load_cifar100(data).part(TEST)
    if len(pixels) != len(exits) or (labels != table.labels[table.rows(TEST)]).any():
        raise UserError(f"{data} does not hold the images of the table: its test labels differ")
    captions = [f"class {label}" for label in labels]
    return pictures.gallery(path, pixels, exits, captions, table.exits)
