"""Pictures of a run in any environment. Each function writes one file and returns its path."""

import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from edgerl.envs.deciding import Policy, decide, states_of
from edgerl.envs.environment import Environment, State, take_step
from edgerl.tasks.generic import evaluation
from edgerl.tasks.run import Run
from edgerl.util import files
from edgerl.util.errors import UserError
from edgerl.util.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, axes, save_figure

FEATURES = 8  # whose course is drawn: those that change most
FRAMES, DURATION = 200, 40  # of an animation, at most; milliseconds of each


@struct.dataclass
class Episode:
    """What happened on each of T steps; `states` are those before the step."""

    states: State
    obs: chex.Array
    actions: chex.Array
    rewards: chex.Array
    ended: chex.Array


def draw(run: Run) -> list[Path]:
    """Learning curve, returns, one episode, and an animation where the environment has `render(state)`.

    An imported policy has no learning curve.
    """
    folder = run.folder / "figures"
    curve = None if run.imported else run.learning_curve()
    played: dict[str, Policy] = {**evaluation.opponents(run.env), "policy": run.policy}
    found = {name: np.asarray(evaluation.episodes(run, player).returns) for name, player in played.items()}
    episode = play_one(run.env, run.policy, run.key(1003), run.config.evaluation_steps)
    drawn = [
        *([] if curve is None else [learning_curve(folder / "learning_curve.png", *curve, f"PPO on {run.env.id}")]),
        returns(folder / "returns.png", found, run.env.id),
        course(folder / "episode.png", episode, run.env.id, getattr(run.env, "observation_names", ())),
    ]
    if callable(getattr(run.env, "render", None)):
        drawn.append(animation(folder / "episode.gif", run.env, episode))
    return drawn


def play_one(env: Environment, policy: Policy, key: chex.PRNGKey, steps: int) -> Episode:
    """One episode to its end, `steps` long at most."""
    params = env.default_params

    def step(state: Any, key: chex.PRNGKey) -> Any:
        obs, inner, memory = state
        act_key, step_key = jax.random.split(key)
        action, memory = decide(policy, act_key, obs, memory)
        later, after, reward, terminated, truncated, _ = take_step(env, step_key, inner, action, params)
        return (later, after, memory), Episode(inner, obs, jnp.asarray(action), reward, terminated | truncated)

    start_key, key = jax.random.split(key)
    begin = lambda: (*env.reset(start_key, params), states_of(policy))  # noqa: E731
    whole = jax.jit(lambda: jax.lax.scan(step, begin(), jax.random.split(key, steps))[1])()
    length = int(np.argmax(np.append(np.asarray(whole.ended), True))) + 1
    return jax.tree.map(lambda x: x[:length], whole)


def learning_curve(path: Path, steps: np.ndarray, returns: np.ndarray, title: str, solved: float | None = None) -> Path:
    """Mean episode return in training against environment steps.

    Args:
      steps: [U] environment steps of one seed after each update.
      returns: [U, S] mean return of the episodes that ended in the update, NaN where none did, for each seed.
      solved: the return at which the task counts as solved, if there is one.
    """
    figure, (axis,) = axes(size=(7, 4))
    some = np.isfinite(returns).any(axis=1)
    if some.any():
        inner = np.nanpercentile(returns[some], [10, 90], axis=1)
        median = np.nanmedian(returns[some], axis=1)
        axis.plot(steps, returns, color=BLUE, alpha=0.25, linewidth=0.8)
        axis.fill_between(steps[some], *inner, color=BLUE, alpha=0.2, linewidth=0)
        axis.plot(steps[some], median, color=BLUE, linewidth=2, label=f"median of {returns.shape[1]} seeds")
    if solved is not None:
        axis.axhline(solved, color=GREY, linestyle="--", linewidth=1, label=f"solved: {solved:g}")
    axis.set(xlabel="environment steps", ylabel="return of episodes in training", title=title)
    axis.set_xlim(0, steps[-1])
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    if some.any() or solved is not None:
        axis.legend(loc="lower right", frameon=False)
    return save_figure(figure, path)


def returns(path: Path, found: dict[str, np.ndarray], title: str) -> Path:
    """How often each return was reached, by each player: name → returns [N], random play first and the policy last."""
    figure, (axis,) = axes(size=(7, 4))
    low, high = min(x.min() for x in found.values()), max(x.max() for x in found.values())
    edges = np.linspace(low, high if high > low else low + 1, 41)
    colours = [GREY, *itertools.islice(itertools.cycle((ORANGE, GREEN, PURPLE)), len(found) - 2), BLUE]
    for (name, values), colour in zip(found.items(), colours, strict=True):
        share = np.full(len(values), 1 / len(values))
        axis.hist(values, edges, weights=share, color=colour, alpha=0.6, label=f"{name}: mean {values.mean():.4g}")
    axis.set(xlabel="return of an episode", ylabel="share of episodes", title=f"Returns in {title}")
    axis.legend(frameon=False)
    return save_figure(figure, path)


def course(path: Path, episode: Episode, title: str, names: Sequence[str] = ()) -> Path:
    """Observations, actions and rewards of an episode, step by step.

    Args:
      names: of the numbers observed, where the environment has some.
    """
    obs, actions = np.asarray(episode.obs), np.asarray(episode.actions)
    spread = obs.std(axis=0)
    shown = sorted(np.argsort(-spread, kind="stable")[:FEATURES])
    figure, parts = axes(rows=3, size=(8, 7), sharex=True)
    time = np.arange(len(obs))
    for feature in shown:
        parts[0].plot(time, obs[:, feature], linewidth=1.2, label=names[feature] if names else f"feature {feature}")
    more = "" if len(shown) == obs.shape[1] else f" (the {len(shown)} of {obs.shape[1]} that change most)"
    parts[0].set(ylabel="observation", title=f"An episode of {title}{more}")
    parts[0].legend(frameon=False, fontsize=8, ncols=2 if names else 4)
    parts[1].step(time, actions, where="post", color=ORANGE)
    parts[1].set(ylabel="action")
    if np.issubdtype(actions.dtype, np.integer):
        parts[1].yaxis.get_major_locator().set_params(integer=True)
    parts[2].step(time, np.asarray(episode.rewards), where="post", color=BLUE)
    parts[2].set(ylabel="reward", xlabel=f"step; return {float(np.sum(np.asarray(episode.rewards))):.4g}")
    return save_figure(figure, path)


def animation(path: Path, env: Any, episode: Episode) -> Path:
    """A GIF of what `env.render(state)` draws, at most `FRAMES` pictures.

    Raises:
      UserError: `render` returns something else than a picture.
    """
    from PIL import Image

    length = len(np.asarray(episode.ended))
    every = -(-length // FRAMES)
    pictures = []
    for i in range(0, length, every):
        drawn = np.asarray(env.render(jax.tree.map(lambda x, i=i: x[i], episode.states)))
        if drawn.ndim not in (2, 3) or (drawn.ndim == 3 and drawn.shape[-1] != 3):
            raise UserError(f"{env.id}: render returns an array of shape {drawn.shape}; expected [height, width, 3]")
        if drawn.dtype != np.uint8:
            drawn = (255 * np.clip(drawn.astype(np.float32), 0, 1)).astype(np.uint8)
        pictures.append(Image.fromarray(drawn).convert("RGB").quantize(64, Image.Quantize.FASTOCTREE))
    made = io.BytesIO()
    pictures[0].save(made, "GIF", save_all=True, append_images=pictures[1:], duration=DURATION, loop=0)
    files.write_bytes(path, made.getvalue())
    return path
