"""A training run: several seeds, logs, checkpoints, exact resumption, and the best seed's policy at the end.

Host code sees only chunks of updates. After each chunk the log, then the checkpoint, reach the disk; a run that was
killed starts from the last checkpoint and reaches the same bits as one that was not.
"""

import functools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from edgerl.agents import ppo, run_folder
from edgerl.agents.config import RunConfig
from edgerl.agents.evaluation import Episodes, play_episodes, summary
from edgerl.agents.logs import Log
from edgerl.agents.networks import make_networks
from edgerl.agents.run_folder import LOG, POLICY, RESULT
from edgerl.core import config as configuration
from edgerl.core import files, generator
from edgerl.core.checkpoint import Checkpoints, open_checkpoints
from edgerl.core.environment import Environment, Params
from edgerl.core.errors import UserError
from edgerl.core.policy import MLPPolicy, save_policy


def train_run(
    env: Environment,
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
      env: the environment; `env_params` its parameters, by default the published ones.
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
    config.ppo.check()
    env_params = env.default_params if env_params is None else env_params
    folder = Path(folder)
    says = {**(about or {}), "environment": env.id, "env_params": run_folder.describe(env_params)}
    run_folder.open_folder(folder, configuration.as_dict(config), says, resume)
    started = time.perf_counter()
    state = _train(env, config, env_params, folder, progress)
    trained = time.perf_counter()
    policy, result = _choose(env, config, env_params, state)
    seconds = {"training": trained - started, "evaluation": time.perf_counter() - trained}
    result = {**says, **result, "steps_per_seed": config.ppo.total_steps, "seconds": seconds}
    save_policy(folder / POLICY, policy)
    files.write_json(folder / RESULT, result)
    return result


def keys(config: RunConfig) -> tuple[chex.PRNGKey, chex.PRNGKey, chex.PRNGKey]:
    """Keys of a run: one for each seed's training [num_seeds], for choosing the best, for judging it."""
    return _keys(np.uint32(config.seed), config.num_seeds)


@functools.partial(jax.jit, static_argnames="num_seeds")
def _keys(seed: chex.Array, num_seeds: int) -> tuple[chex.PRNGKey, chex.PRNGKey, chex.PRNGKey]:
    train_key, choice_key, judge_key = jax.random.split(generator.new_key(seed, jnp.uint32(0)), 3)
    return jax.random.split(train_key, num_seeds), choice_key, judge_key


# Measured on a CPU: half the compile time, and the same speed.
_COMPILE = {"xla_llvm_disable_expensive_passes": True}


@functools.partial(jax.jit, static_argnames="env", compiler_options=_COMPILE)
def start(env: Environment, config: ppo.PPOConfig, seeds: chex.PRNGKey, env_params: Params) -> ppo.TrainState:
    """States [S] before the first update of the seeds' keys [S]."""
    return jax.vmap(lambda key: ppo.init(env, config, key, env_params))(seeds)


@functools.partial(jax.jit, static_argnames=("env", "length"), compiler_options=_COMPILE)
def advance(
    env: Environment, config: ppo.PPOConfig, states: ppo.TrainState, env_params: Params, count: chex.Array, length: int
) -> tuple[ppo.TrainState, ppo.Metrics]:
    """`count` updates, at most `length`, of every seed: states [S], metrics [length, S].

    `count` is data and not part of the program: a shorter last chunk neither compiles again nor changes a bit.
    """

    def step(states: ppo.TrainState) -> tuple[ppo.TrainState, ppo.Metrics]:
        return jax.vmap(lambda state: ppo.update(env, config, state, env_params))(states)

    def body(i: chex.Array, carry: tuple[ppo.TrainState, ppo.Metrics]) -> tuple[ppo.TrainState, ppo.Metrics]:
        states, metrics = step(carry[0])
        return states, jax.tree.map(lambda rows, row: rows.at[i].set(row), carry[1], metrics)

    seeds = states.key.shape[0]
    empty = {name: jnp.zeros((length, seeds)) for name in ppo.METRICS}
    return jax.lax.fori_loop(0, count, body, (states, empty))


def _train(env: Environment, config: RunConfig, env_params: Params, folder: Path, progress: bool) -> ppo.TrainState:
    with open_checkpoints(folder / "checkpoints") as checkpoints:
        state = start(env, config.ppo, keys(config)[0], env_params)
        done = checkpoints.latest() or 0
        if done:
            state = checkpoints.restore(done, like=state)
        with Log(folder / LOG, folder / "tensorboard", done) as log:
            return _loop(env, config, env_params, state, done, checkpoints, log, progress)


def _loop(
    env: Environment,
    config: RunConfig,
    env_params: Params,
    state: ppo.TrainState,
    done: int,
    checkpoints: Checkpoints,
    log: Log,
    progress: bool,
) -> ppo.TrainState:
    from tqdm import tqdm

    total, length = config.ppo.num_updates, min(config.checkpoint_every, config.ppo.num_updates)
    # `None` shows the bar only on a terminal.
    with tqdm(total=total, initial=done, unit="update", disable=None if progress else True) as bar:
        try:
            while done < total:
                count = min(length, total - done)
                state, metrics = advance(env, config.ppo, state, env_params, jnp.int32(count), length)
                rows = {name: np.asarray(rows)[:count] for name, rows in metrics.items()}
                _check_finite(rows["loss"], done, config)
                log.append(done + 1, config.ppo.batch_size, rows)
                checkpoints.save(done + count, state)
                done += count
                bar.update(count)
                bar.set_postfix_str(f"return {_latest(rows['episode_return']):.4g}", refresh=False)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"update {done} of {total} is saved, and the same command goes on from there"
            ) from None
    return state


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


@functools.partial(jax.jit, static_argnames=("env", "num_envs", "most_steps"), compiler_options=_COMPILE)
def _play(
    env: Environment, policies: MLPPolicy, key: chex.PRNGKey, env_params: Params, num_envs: int, most_steps: int
) -> Episodes:
    return jax.vmap(lambda policy: play_episodes(env, policy, key, env_params, num_envs, most_steps))(policies)


def _choose(
    env: Environment, config: RunConfig, env_params: Params, states: ppo.TrainState
) -> tuple[MLPPolicy, dict[str, Any]]:
    """The policy of the best seed. It is judged on other episodes than those it was chosen by."""
    _, choice_key, judge_key = keys(config)
    policies = [seed_policy(env, config, states, seed) for seed in range(config.num_seeds)]
    together = jax.tree.map(lambda *x: np.stack(x), *policies)

    def play(key: chex.PRNGKey) -> Episodes:
        episodes = _play(env, together, key, env_params, config.evaluation_envs, config.evaluation_steps)
        return jax.tree.map(np.asarray, episodes)

    scores = play(choice_key).returns.mean(axis=1, dtype=np.float64)
    best = int(scores.argmax())
    judged = summary(jax.tree.map(lambda x: x[best], play(judge_key)))
    return policies[best], {"best_seed": best, "choice": {"returns": scores.tolist()}, "evaluation": judged}


def seed_policy(env: Environment, config: RunConfig, states: ppo.TrainState, seed: int) -> MLPPolicy:
    """The greedy policy of one of the seeds. Its arrays are the host's: slicing on a device compiles for each shape."""
    return make_networks(env, config.ppo).greedy(jax.tree.map(lambda x: np.asarray(x)[seed], states.params))
