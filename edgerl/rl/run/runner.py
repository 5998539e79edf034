"""A training run: PPO of several seeds in the resumable loop, and the best seed's policy at the end.

The seeds are shared out over a mesh: all devices of all processes that `jax.distributed` has joined. Several devices
may share one seed, as `RunConfig.mesh` says. Every process makes the same calls; the first one alone writes.
"""

import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import chex
import jax
import numpy as np
from jax.sharding import PartitionSpec

from edgerl.envs.entry import environment_of
from edgerl.envs.environment import Environment, Params
from edgerl.envs.forms import environment_forms
from edgerl.envs.policy_file import FloatPolicy, save_policy
from edgerl.rl import ppo
from edgerl.rl.config import RunConfig
from edgerl.rl.evaluation import Episodes, summary
from edgerl.rl.learner import Metrics
from edgerl.rl.make_networks import make_networks
from edgerl.rl.run import loop, run_folder
from edgerl.rl.run.loop import Training
from edgerl.rl.run.meshes import ENV, mesh_of
from edgerl.rl.run.needs import require_memory
from edgerl.rl.run.run_folder import POLICY, RESULT
from edgerl.rl.run.seeds import gather, keys, play, shard, spread, start, update
from edgerl.util import config as configuration
from edgerl.util import files
from edgerl.util.distributed import processes

Finish = Callable[[ppo.TrainState, FloatPolicy], tuple[FloatPolicy, dict[str, Any]]]


def train_run(
    env: Environment | str,
    config: RunConfig,
    folder: str | Path,
    *,
    env_params: Params | None = None,
    about: Mapping[str, Any] | None = None,
    progress: bool = True,
    resume: bool = True,
    finish: Finish | None = None,
) -> dict[str, Any]:
    """Trains `config.num_seeds` policies, keeps the best, and writes a run folder (see `run_folder`).

    Args:
      env: the environment or its id; `env_params` its parameters, by default the published ones.
      folder: a new folder, or that of the same run, unfinished, which is resumed.
      about: more that `run.json` shall say, for example {"system": "cartpole"}.
      progress: whether to show a progress bar on standard error, if that is a terminal.
      resume: if false, an unfinished run is an error.
      finish: makes the last policy of the best seed's state and policy, and says what it did for `result.json`.

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
    first, training = processes.is_first(), PPO(env, config, env_params)
    require_memory(env, config, env_params, training.mesh)
    config.check()
    if first:
        run_folder.open_folder(folder, configuration.as_dict(config), says, resume)
    started = time.perf_counter()
    state = loop.train(training, folder, progress)
    trained = time.perf_counter()
    policy, result = _choose(training, state, env, env_params, finish)
    seconds = {"training": trained - started, "evaluation": time.perf_counter() - trained}
    counts = {"steps_per_seed": config.ppo.total_steps, "devices_per_seed": training.mesh.shape[ENV]}
    result = {**says, **result, **counts, "seconds": seconds}
    if first:
        save_policy(folder / POLICY, policy)
        files.write_json(folder / RESULT, result)
    return result


class PPO(Training[ppo.TrainState]):
    """PPO of a run's seeds, shared out over a mesh. A checkpoint holds the states [S] of all."""

    METRICS = ppo.METRICS

    def __init__(self, env: Environment, config: RunConfig, env_params: Params | None = None) -> None:
        self.config, self.marks = config, (config.ppo.num_updates,)
        self.every = min(config.checkpoint_every, config.ppo.num_updates)
        self.steps_per_update = config.ppo.batch_size
        self.mesh = mesh_of(config)
        self._env, self._env_params = env, env.default_params if env_params is None else env_params

    def init(self) -> ppo.TrainState:
        """Of every seed."""
        return start(self._env, self.config.ppo, keys(self.config)[0], self._env_params)

    def placed(self, saved: ppo.TrainState) -> ppo.TrainState:
        """Spread over the mesh."""
        return shard(saved, self.config.num_seeds, self.mesh, spread(saved))

    def saved(self, state: ppo.TrainState) -> ppo.TrainState:
        """Collected from the mesh."""
        return gather(state, self.config.num_seeds, self.mesh)

    def update(self, state: ppo.TrainState, done: int, count: int) -> tuple[ppo.TrainState, Metrics]:
        """Of every seed, on its device."""
        args = self._env, self._shared[0], state, self._shared[1], np.int32(count)
        state, metrics = update(*args, self.every, self.mesh)
        metrics = processes.whole(metrics, self.mesh)
        return state, {name: values[:count, : self.config.num_seeds] for name, values in metrics.items()}

    @functools.cached_property
    def _shared(self) -> tuple[ppo.PPOConfig, Params]:
        return processes.place((self.config.ppo, self._env_params), self.mesh, PartitionSpec())

    def policy(self, state: ppo.TrainState) -> FloatPolicy:
        """The greedy policies [S] of the seeds. Their arrays are the host's: a device compiles for every shape."""
        params, statistics = jax.tree.map(np.asarray, (state.params, state.statistics))

        def policy(seed: int) -> FloatPolicy:
            networks = make_networks(self._env, self.config.ppo, self._env_params, _row(statistics, seed))
            return networks.greedy(_row(params, seed))

        policies = [policy(seed) for seed in range(self.config.num_seeds)]
        return jax.tree.map(lambda *x: np.stack(x), *policies)

    def note(self, state: ppo.TrainState, done: int, metrics: Metrics) -> str:
        """The mean over the seeds of the newest update in which an episode ended anywhere, if there is one."""
        rows = [row[np.isfinite(row)] for row in metrics["episode_return"]]
        newest = next((float(row.mean()) for row in reversed(rows) if row.size), None)
        return "no episode ended" if newest is None else f"return {newest:.4g}"

    def diverged(self, column: int, found: str) -> str:
        """Columns are seeds."""
        return (
            f"the loss of seed {column} is {found}: try a smaller ppo.learning_rate than "
            f"{self.config.ppo.learning_rate:g}, or check the environment's rewards"
        )


def _choose(
    training: PPO, states: ppo.TrainState, env: Environment, env_params: Params, finish: Finish | None
) -> tuple[FloatPolicy, dict[str, Any]]:
    """The policy of the best seed. It is judged on other episodes than those it was chosen by."""
    config, mesh = training.config, training.mesh
    _, choice_key, judge_key = keys(config)
    policies = training.policy(states)
    together = shard(policies, config.num_seeds, mesh)
    sizes = (config.evaluation_envs, config.evaluation_steps)

    def scored(key: chex.PRNGKey) -> Episodes:
        key, params = processes.place((key, env_params), mesh, PartitionSpec())
        return gather(play(env, together, key, params, *sizes, mesh), config.num_seeds, mesh)

    scores = scored(choice_key).returns.mean(axis=1, dtype=np.float64)
    best = int(scores.argmax())
    more: dict[str, Any] = {}
    if finish:
        last, more = finish(_row(training.saved(states), best), _row(policies, best))
        policies = jax.tree.map(lambda all_of_them, x: _replaced(all_of_them, best, x), policies, last)
        together = shard(policies, config.num_seeds, mesh)
    judged = summary(_row(scored(judge_key), best))
    found = {"best_seed": best, "choice": {"returns": scores.tolist()}, **more, "evaluation": judged}
    return _row(policies, best), found


def _replaced(rows: np.ndarray, index: int, row: np.ndarray) -> np.ndarray:
    made = np.array(rows)
    made[index] = row
    return made


def _row(tree: Any, index: int) -> Any:
    return jax.tree.map(lambda x: x[index], tree)
