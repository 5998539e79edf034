"""Pictures of a latent space and of an agent's walks through it."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from edgerl.tasks.latent_nas.env import LatentNAS
from edgerl.tasks.latent_nas.evaluation.evaluate import SMALL, Walks
from edgerl.tasks.latent_nas.models.model import LATENT
from edgerl.tasks.latent_nas.models.search import JUDGED, RANGES
from edgerl.util.plots import BLACK, BLUE, GREY, ORANGE, save_figure, smoothed
from edgerl.util.plots import axes as axes_of

_POINTS = 6000
_WALKS = 12
_SCORE = {  # by whether there is a budget
    False: "predicted accuracy - its uncertainty",
    True: "predicted accuracy - its uncertainty, less beyond the budget",
}


def latent_space(path: Path, env: LatentNAS, key: jax.Array) -> Path:
    """Random latents in the plane of `_background`, coloured by their score, and the codebook's codes."""
    figure, (axis,) = axes_of(size=(7, 5.5))
    axes, centre = _background(axis, env, key, alpha=0.9)
    codes = (np.asarray(env.default_params.codebook) - centre) @ axes
    axis.plot(*codes.T, "+", color=ORANGE, markersize=9, markeredgewidth=1.8, label="codes of the codebook")
    _explain(figure, axis, f"{_POINTS:,} random places of the latent space", env.limited)
    return save_figure(figure, path)


def trajectories(path: Path, env: LatentNAS, key: jax.Array, walks: Walks) -> Path:
    """The first walks in the same plane, from where they start to where they end."""
    figure, (axis,) = axes_of(size=(7, 5.5))
    axes, centre = _background(axis, env, key, alpha=0.35)
    count = min(_WALKS, walks.latents.shape[1])
    for i in range(count):
        points = (walks.latents[: walks.steps[i] + 1, i] - centre) @ axes
        axis.plot(*points.T, color=BLACK, linewidth=1, alpha=0.7, label="walk" if i == 0 else None)
    starts, ends = ((walks.latents[t, :count] - centre) @ axes for t in (0, -1))
    axis.plot(*starts.T, "o", color="white", markeredgecolor=BLACK, markersize=7, label="start", linestyle="none")
    axis.plot(*ends.T, "X", color=ORANGE, markeredgecolor="white", markersize=10, label="end", linestyle="none")
    _explain(figure, axis, f"{count} walks of the agent through the latent space", env.limited)
    return save_figure(figure, path)


def _explain(figure: Any, axis: Any, title: str, limited: bool) -> None:
    bar = figure.colorbar(axis.collections[0], ax=axis, extend="min", label=f"score: {_SCORE[limited]}")
    bar.solids.set_alpha(1)
    axis.legend(loc="upper right")
    axis.set_title(title)


def curves(path: Path, steps: np.ndarray, returns: np.ndarray, lengths: np.ndarray) -> Path:
    """Mean episode reward and length in training: [U] steps, [U, S] means."""
    figure, panels = axes_of(2, (10, 3.8))
    seeds = "one seed" if returns.shape[1] == 1 else f"median of {returns.shape[1]} seeds"
    for axis, values, label in zip(panels, (returns, lengths), ("mean reward", "mean length (steps)"), strict=True):
        places, median = smoothed(np.nanmedian(values, axis=1))
        axis.plot(steps, values, color=BLUE, alpha=0.25, linewidth=0.8)
        axis.plot(steps[places], median, color=BLUE, linewidth=2, label=seeds)
        axis.set(xlabel="environment steps of a seed", ylabel=f"{label} of an episode", xlim=(0, steps[-1]))
        axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    panels[1].set_yscale("log")
    panels[1].yaxis.set_major_formatter("{x:g}")
    panels[1].yaxis.set_minor_formatter("{x:g}")
    panels[0].legend(loc="lower right")
    figure.suptitle("PPO on LatentNAS-v0: episodes in training", fontsize=11)
    return save_figure(figure, path)


def accuracy_and_parameters(
    path: Path, found: list[dict[str, Any]], lost: list[dict[str, Any]], budget: float | None
) -> Path:
    """Predicted accuracy against parameters of the agent's and of random actions' last networks, and the front."""
    figure, (axis,) = axes_of(size=(7, 4.5))
    for one, colour, label in ((lost, GREY, "random actions"), (found, BLUE, "agent")):
        sizes, accuracy = (np.array([x[name] for x in one]) for name in ("parameters", "predicted_accuracy"))
        axis.scatter(
            sizes, accuracy, s=12, alpha=0.5, color=colour, linewidths=0, zorder=3, label=f"{label}: {len(one)} walks"
        )
    sizes, accuracy = (np.array([x[n] for x in found + lost]) for n in ("parameters", "predicted_accuracy"))
    order = np.argsort(sizes)
    best = np.maximum.accumulate(accuracy[order])
    axis.step(sizes[order], best, where="post", color=ORANGE, linewidth=1.2, label="best for so many parameters")
    axis.axvline(budget or SMALL, color=BLACK, linestyle=":", linewidth=1, label=f"{budget or SMALL:,.0f} parameters")
    axis.set(xscale="log", xlabel="parameters of the network", ylabel="predicted accuracy (share of images)")
    axis.set_title("Networks in which walks end")
    axis.legend(loc="best")
    return save_figure(figure, path)


def settings(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Reconstruction error against each setting of `search.search`; the best and the default marked."""
    figure, flat = axes_of(3, (10, 5.6), 2, sharey=True)
    panels = flat.reshape(2, 3)
    error = [row[JUDGED[0]] for row in rows]
    default = next(i for i, row in enumerate(rows) if row["setting"] == 0)
    for axis, name in zip(panels.flat, RANGES, strict=True):
        values = [row[name] for row in rows]
        axis.scatter(values, error, s=14, color=GREY, alpha=0.7, linewidths=0, label=f"{len(rows)} settings")
        axis.scatter(values[0], error[0], s=60, color=ORANGE, label="best")
        axis.scatter(values[default], error[default], s=60, marker="s", color=BLUE, label="default")
        axis.set(xscale="log", xlabel=f"{name} (no unit)")
        axis.xaxis.set_minor_formatter("")
    figure.supylabel("reconstruction error, as a share of that of the column means", fontsize=10)
    figure.suptitle("The autoencoder's error by each of its settings", fontsize=11)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return save_figure(figure, path)


def _background(axis: Any, env: LatentNAS, key: jax.Array, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Draws random latents; returns the plane: axes [8, 2] and centre [8].

    The first axis is the direction along which the score grows most (least squares), the second that of the codes' most
    variance beside it. Scores below the lowest tenth have its colour.
    """
    latents = np.asarray(jax.random.normal(key, (_POINTS, LATENT)))
    params = env.default_params
    score = np.asarray(jax.jit(jax.vmap(lambda latent: env.score(latent, params)))(jnp.asarray(latents)))
    centre = latents.mean(0)
    first = np.linalg.lstsq(latents - centre, score - score.mean(), rcond=None)[0]
    first = first / max(np.linalg.norm(first), 1e-9)
    book = np.asarray(env.default_params.codebook) - centre
    book = book - np.outer(book @ first, first)
    axes = np.stack([first, np.linalg.svd(book)[2][0]], 1)
    points = (latents - centre) @ axes
    low, high = np.quantile(score, [0.1, 1.0])
    axis.scatter(
        *points.T, c=score, s=7, alpha=alpha, cmap="viridis", vmin=low, vmax=high, linewidths=0, rasterized=True
    )
    axis.set(
        xlabel="along the direction in which the score grows", ylabel="along the codes' largest variance beside it"
    )
    return axes, centre
