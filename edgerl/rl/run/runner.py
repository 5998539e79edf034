"""A training run: several seeds, logs, checkpoints, exact resumption, and the best seed's policy at the end.

Host code sees only chunks of updates. After each chunk the log, then the checkpoint, reach the disk; a run that was
killed starts from the last checkpoint and reaches the same bits as one that was not.

The seeds are shared out over a mesh: all devices of all processes that `jax.distributed` has joined. Every process then
makes the same calls; the first one alone writes.
"""

import contextlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import chex
import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from edgerl.envs.entry import environment_of
from edgerl.envs.environment import Environment, Params
from edgerl.envs.forms import environment_forms
from edgerl.envs.policy import MLPPolicy, save_policy
from edgerl.rl import ppo
from edgerl.rl.config import RunConfig
from edgerl.rl.evaluation import Episodes, summary
from edgerl.rl.networks import make_networks
from edgerl.rl.run import run_folder
from edgerl.rl.run.logs import Log
from edgerl.rl.run.needs import require_memory
from edgerl.rl.run.run_folder import LOG, POLICY, RESULT
from edgerl.rl.run.seeds import advance, collect, keys, play, seed_mesh, spread, start
from edgerl.util import config as configuration
from edgerl.util import files, memory
from edgerl.util.checkpoint import Checkpoints, open_checkpoints
from edgerl.util.distributed import processes
from edgerl.util.errors import UserError

_LONG = 3600.0  # seconds of training that are worth a word where there is no progress bar


def train_run(
    env: Environment | str,
    config: RunConfig,
    folder: str | Path,
    *,
    env_params: Params | None = None,
    about: Mapping[str, Any] | None = None,
    progress: bool = True,
    resume: bool = True,
) -> dict[str, Any]:
    """Trains `config.num_seeds` policies, keeps the best, and writes a run folder (see `run_folder`).

    Args:
      env: the environment or its id; `env_params` its parameters, by default the published ones.
      folder: a new folder, or that of the same run, unfinished, which is resumed.
      about: more that `run.json` shall say, for example {"system": "cartpole"}.
      progress: whether to show a progress bar on standard error, if that is a terminal.
      resume: if false, an unfinished run is an error.

    Returns:
      What `result.json` holds.

    Raises:
      UserError: the configuration does not fit, the folder is another's or cannot be written, or a loss is not finite.
      KeyboardInterrupt: with a message that says how far the run is; it can be resumed.
    """
    env = environment_of(env, "train")
    env_params = env.default_params if env_params is None else env_params
    environment_forms("train", env, env_params)
    folder = Path(folder)
    says = {**(about or {}), "environment": env.id, "env_params": run_folder.describe(env_params)}
    first, mesh = processes.is_first(), seed_mesh(config.num_seeds)
    require_memory(env, config, env_params, mesh)
    config.check()
    if first:
        run_folder.open_folder(folder, configuration.as_dict(config), says, resume)
    started = time.perf_counter()
    state = _train(env, config, env_params, folder, progress and first, mesh)
    trained = time.perf_counter()
    policy, result = _choose(env, config, env_params, state, mesh)
    seconds = {"training": trained - started, "evaluation": time.perf_counter() - trained}
    result = {**says, **result, "steps_per_seed": config.ppo.total_steps, "seconds": seconds}
    if first:
        save_policy(folder / POLICY, policy)
        files.write_json(folder / RESULT, result)
    return result


def _train(
    env: Environment, config: RunConfig, env_params: Params, folder: Path, progress: bool, mesh: Mesh
) -> ppo.TrainState:
    """The last state, as `collect` gives it."""
    state = start(env, config.ppo, keys(config)[0], env_params)
    with contextlib.ExitStack() as stack:
        checkpoints, log, done = None, None, 0
        if processes.is_first():
            checkpoints = stack.enter_context(open_checkpoints(folder / "checkpoints"))
            done = checkpoints.latest() or 0
            if done:
                state = checkpoints.restore(done, like=state)
            log = stack.enter_context(Log(folder / LOG, folder / "tensorboard", done))
        done = int(processes.share(np.int32(done)))
        if done:
            state = processes.share(state)
        state = spread(state, config.num_seeds, mesh)
        return _loop(env, config, env_params, state, done, checkpoints, log, progress, mesh)


def _loop(
    env: Environment,
    config: RunConfig,
    env_params: Params,
    state: ppo.TrainState,
    done: int,
    checkpoints: Checkpoints | None,
    log: Log | None,
    progress: bool,
    mesh: Mesh,
) -> ppo.TrainState:
    from tqdm import tqdm

    total, length = config.ppo.num_updates, min(config.checkpoint_every, config.ppo.num_updates)
    ppo_config, env_params = processes.place((config.ppo, env_params), mesh, PartitionSpec())
    kept, chunks = None, 0
    # `None` shows the bar only on a terminal.
    with tqdm(total=total, initial=done, unit="update", disable=None if progress else True) as bar:
        try:
            while done < total:
                count, began = min(length, total - done), time.perf_counter()
                state, metrics = advance(env, ppo_config, state, env_params, np.int32(count), length, mesh)
                metrics = processes.whole(metrics, mesh)
                rows = {name: values[:count, : config.num_seeds] for name, values in metrics.items()}
                _check_finite(rows["loss"], done, config)
                kept = collect(state, config.num_seeds, mesh)
                if log is not None and checkpoints is not None:
                    log.append(done + 1, config.ppo.batch_size, rows)
                    checkpoints.save(done + count, kept)
                done += count
                bar.update(count)
                chunks += 1
                if chunks == 2 and progress and bar.disable:  # the first one compiles
                    _tell_pace(time.perf_counter() - began, count, total - done)
                bar.set_postfix_str(f"return {_latest(rows['episode_return']):.4g}", refresh=False)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"update {done} of {total} is saved, and the same command goes on from there"
            ) from None
    return collect(state, config.num_seeds, mesh) if kept is None else kept


def _tell_pace(seconds: float, count: int, left: int) -> None:
    """Where no bar shows it: that a training takes long, from how long `count` updates took."""
    if seconds / count * left > _LONG:
        line = f"{left} updates to go, about {memory.duration(seconds / count * left)} at this pace"
        print(f"edgerl: {line}; it can be interrupted and resumed", file=sys.stderr, flush=True)


def _latest(returns: np.ndarray) -> float:
    """Mean over the seeds of the newest update in which an episode ended anywhere; NaN if there is none."""
    rows = [row[np.isfinite(row)] for row in returns]
    return next((float(row.mean()) for row in reversed(rows) if row.size), float("nan"))


def _check_finite(loss: np.ndarray, done: int, config: RunConfig) -> None:
    bad = np.argwhere(~np.isfinite(loss))
    if len(bad):
        update, seed = bad[0]
        raise UserError(
            f"the loss of seed {seed} is {loss[update, seed]} at update {done + update + 1}: "
            f"try a smaller ppo.learning_rate than {config.ppo.learning_rate:g}, or check the environment's rewards"
        )


def _choose(
    env: Environment, config: RunConfig, env_params: Params, states: ppo.TrainState, mesh: Mesh
) -> tuple[MLPPolicy, dict[str, Any]]:
    """The policy of the best seed. It is judged on other episodes than those it was chosen by."""
    _, choice_key, judge_key = keys(config)
    policies = [seed_policy(env, config, states, seed, env_params) for seed in range(config.num_seeds)]
    together = spread(jax.tree.map(lambda *x: np.stack(x), *policies), config.num_seeds, mesh)
    sizes = (config.evaluation_envs, config.evaluation_steps)

    def scored(key: chex.PRNGKey) -> Episodes:
        key, params = processes.place((key, env_params), mesh, PartitionSpec())
        return collect(play(env, together, key, params, *sizes, mesh), config.num_seeds, mesh)

    scores = scored(choice_key).returns.mean(axis=1, dtype=np.float64)
    best = int(scores.argmax())
    judged = summary(jax.tree.map(lambda x: x[best], scored(judge_key)))
    return policies[best], {"best_seed": best, "choice": {"returns": scores.tolist()}, "evaluation": judged}


def seed_policy(
    env: Environment, config: RunConfig, states: ppo.TrainState, seed: int, env_params: Params | None = None
) -> MLPPolicy:
    """The greedy policy of one of the seeds. Its arrays are the host's: slicing on a device compiles for each shape."""
    networks = make_networks(env, config.ppo, env_params)
    return networks.greedy(jax.tree.map(lambda x: np.asarray(x)[seed], states.params))
