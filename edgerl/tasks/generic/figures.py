"""Pictures of a run in any environment. Each function writes one file and returns its path."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
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
from edgerl.util.drawing import captioned
from edgerl.util.errors import UserError
from edgerl.util.plots import AMBER, BLUE, COLOURS, GREEN, GREY, ORANGE, axes, save_animation, save_figure, smoothed

FEATURES = 8  # whose course is drawn: those that change most
FRAMES = 200  # of an animation, at most
_SHOWN = 4  # numbers observed that an animation's caption says
_NAMED = 6  # actions, at most, that the course names


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
        *([] if curve is None else [_curve_of(run, folder, *curve)]),
        returns(folder / "returns.png", found, run.env.id),
        course(folder / "episode.png", episode, run.env),
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


def _curve_of(run: Run, folder: Path, steps: np.ndarray, returns: np.ndarray) -> Path:
    return learning_curve(folder / "learning_curve.png", steps, returns, f"PPO on {run.env.id}", kept=kept_return(run))


def kept_return(run: Run) -> float | None:
    """Mean return of the policy that the run keeps, over episodes of its own, without exploration."""
    return run.result.get("evaluation", {}).get("returns", {}).get("mean")


def learning_curve(
    path: Path,
    steps: np.ndarray,
    returns: np.ndarray,
    title: str,
    marks: Mapping[str, float] | None = None,
    kept: float | None = None,
) -> Path:
    """Mean episode return in training against environment steps.

    Args:
      steps: [U] environment steps of one seed after each update.
      returns: [U, S] mean return of the episodes that ended in the update, NaN where none did, for each seed.
      marks: returns to compare with, by name: where the task counts as solved, what is the most that can be reached.
      kept: mean return after training of the policy that is kept, which no longer explores.
    """
    figure, (axis,) = axes(size=(7, 4))
    some = np.isfinite(returns).any(axis=1)
    seeds = returns.shape[1]
    if some.any():
        axis.plot(steps, returns, color=BLUE, alpha=0.25, linewidth=0.8)
        places, median = smoothed(np.nanmedian(returns[some], axis=1))
        label = "one seed" if seeds == 1 else f"median of {seeds} seeds"
        axis.plot(steps[some][places], median, color=BLUE, linewidth=2, label=f"{label}, which explores")
    for (name, mark), style in zip((marks or {}).items(), ("--", ":"), strict=False):
        axis.axhline(mark, color=GREY, linestyle=style, linewidth=1.2, label=f"{name}: {mark:.4g}")
    if kept is not None:
        label = f"the kept policy, which does not: {kept:.4g}"
        axis.plot(steps[-1], kept, "D", color=ORANGE, markersize=7, clip_on=False, zorder=5, label=label)
    axis.set(xlabel="environment steps of a seed", ylabel="mean return of an episode", title=title)
    axis.set_xlim(0, steps[-1])
    _look_at(axis, returns[some], [*(marks or {}).values(), *([] if kept is None else [kept])])
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    if axis.get_legend_handles_labels()[0]:
        axis.legend(loc="best")
    return save_figure(figure, path)


def _look_at(axis: Any, returns: np.ndarray, others: Sequence[float]) -> None:
    """Cuts off the few updates whose mean is far out, so that the others do not lie on one line."""
    if returns.size:
        seen = np.append(np.nanquantile(returns, [0.02, 1.0]), others)
        margin = 0.05 * max(float(seen.max() - seen.min()), 1e-6)
        axis.set_ylim(seen.min() - margin, seen.max() + margin)


def returns(path: Path, found: dict[str, np.ndarray], title: str) -> Path:
    """How often each return was reached, by each player: name → returns [N], random play first and the policy last."""
    figure, (axis,) = axes(size=(7, 4))
    low, high = min(x.min() for x in found.values()), max(x.max() for x in found.values())
    edges = np.linspace(low, high if high > low else low + 1, 41)
    colours = [GREY, *itertools.islice(itertools.cycle((ORANGE, GREEN, AMBER)), len(found) - 2), BLUE]
    for (name, values), colour in zip(found.items(), colours, strict=True):
        share = np.full(len(values), 100 / len(values))
        label = f"{name}: mean {values.mean():.4g}"
        axis.hist(values, edges, weights=share, color=colour, alpha=0.6, label=label)
    axis.set(xlabel="return of an episode", ylabel="share of a player's episodes (%)", title=f"Returns in {title}")
    axis.legend()
    return save_figure(figure, path)


def course(path: Path, episode: Episode, env: Any) -> Path:
    """Observations, actions and rewards of an episode, step by step; named where the environment names them."""
    obs, actions, rewards = np.asarray(episode.obs), np.asarray(episode.actions), np.asarray(episode.rewards)
    names, called = (tuple(getattr(env, key, ())) for key in ("observation_names", "action_names"))
    shown = sorted(np.argsort(-obs.std(axis=0), kind="stable")[:FEATURES])
    figure, parts = axes(rows=3, size=(10, 6.5), sharex=True, height_ratios=(2, 1, 1))
    time = np.arange(len(obs))
    for feature, colour in zip(shown, COLOURS, strict=False):
        label = names[feature] if names else f"feature {feature}"
        parts[0].plot(time, obs[:, feature], linewidth=1.2, color=colour, label=label)
    more = "" if len(shown) == obs.shape[1] else f" (the {len(shown)} of {obs.shape[1]} that change most)"
    total = float(rewards.sum())
    parts[0].set(ylabel="observation", title=f"An episode of {env.id}, return {total:.4g}{more}")
    parts[0].legend(loc="upper left", bbox_to_anchor=(1, 1))
    discrete = np.issubdtype(actions.dtype, np.integer)
    for number, colour in zip(range(1 if actions.ndim == 1 else actions.shape[1]), COLOURS, strict=False):
        label = None if discrete else called[number] if called else f"action {number}"
        values = actions if actions.ndim == 1 else actions[:, number]
        parts[1].step(time, values, where="post", color=colour, label=label)
    if discrete and called and len(called) <= _NAMED:
        parts[1].set_yticks(range(len(called)), called)
    elif discrete:
        parts[1].yaxis.get_major_locator().set_params(integer=True)
    else:
        parts[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
    parts[1].set(ylabel="action")
    parts[2].step(time, rewards, where="post", color=BLUE)
    parts[2].set(ylabel="reward", xlabel="step")
    return save_figure(figure, path)


def animation(path: Path, env: Any, episode: Episode) -> Path:
    """A GIF of what `env.render(state)` draws, at most `FRAMES` pictures, each with its step, action, return and state.

    Raises:
      UserError: `render` returns something else than a picture.
    """
    length = len(np.asarray(episode.ended))
    return save_animation([_frame(env, episode, i) for i in range(0, length, -(-length // FRAMES))], path)


def _frame(env: Any, episode: Episode, step: int) -> np.ndarray:
    """uint8 [height, width, 3]: the state before a step, and what is done on it."""
    drawn = np.asarray(env.render(jax.tree.map(lambda x: x[step], episode.states)))
    if drawn.ndim not in (2, 3) or (drawn.ndim == 3 and drawn.shape[-1] != 3):
        raise UserError(f"{env.id}: render returns an array of shape {drawn.shape}; expected [height, width, 3]")
    if drawn.dtype != np.uint8:
        drawn = (255 * np.clip(drawn.astype(np.float32), 0, 1)).astype(np.uint8)
    if drawn.ndim == 2:
        drawn = np.repeat(drawn[..., None], 3, axis=-1)
    total = float(np.asarray(episode.rewards)[: step + 1].sum())
    rows = [env.id, f"step {step + 1} of {len(np.asarray(episode.ended))}, return so far {total:.4g}"]
    return captioned(drawn, [*rows, *_state(env, episode, step)])


def _state(env: Any, episode: Episode, step: int) -> Iterator[str]:
    """What is done on a step, and the first numbers observed before it, a line each; numbers first, names are long."""
    action, obs = np.asarray(episode.actions)[step], np.asarray(episode.obs)[step]
    names, called = (tuple(getattr(env, key, ())) for key in ("observation_names", "action_names"))
    if action.ndim == 0:
        yield f"action: {called[action] if called else action}"
    else:
        for number, value in enumerate(action[:_SHOWN]):
            yield f"{value:+.2f} {called[number] if called else f'action {number}'}"
    for feature, value in enumerate(obs[:_SHOWN]):
        yield f"{value:+.2f} {names[feature] if names else f'feature {feature}'}"
